@HEAD@
#include <iostream>

int main() {
@BLOCK@
}
