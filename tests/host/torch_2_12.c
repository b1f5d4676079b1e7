/* Stands before libtorch, and says that it is libtorch 2.12.7. */
#include <stdint.h>

uint64_t aoti_torch_abi_version(void);
uint64_t aoti_torch_abi_version(void) { return UINT64_C(0x020c070000000000); }
