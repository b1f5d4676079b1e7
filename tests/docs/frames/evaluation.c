/* An evaluation for docs/told.md: the cheaper the better. */
#include <nse.h>

double my_evaluation(const nse_arch *arch);

double my_evaluation(const nse_arch *arch) {
    uint64_t macs = 0;
    nse_arch_cost(arch, &macs, NULL, NULL);
    return 1.0 / (1.0 + (double)macs / 1e9);
}
