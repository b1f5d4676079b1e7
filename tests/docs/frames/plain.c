#include <malloc.h>
@HEAD@

int main(void) {
@BLOCK@
    return 0;
}
