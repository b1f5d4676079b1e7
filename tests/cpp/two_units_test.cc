// The second translation unit with the header, included twice: what is in it must not be defined twice.

#include <nse/nse.hpp>
#include <nse/nse.hpp>

#include <gtest/gtest.h>

// From handle_test.cc's side of the program: the same functions and classes, seen through another include of the header.
TEST(Header, IncludedTwiceInTwoUnits) {
    nse::Space space = nse::Space::preset("nse-27-small");
    const nse::Arch arch = nse::Arch::uniform(space, "mbconv_k3_t1");
    EXPECT_GT(arch.cost().params, 0u);
    EXPECT_THROW((void)nse::Space::from_json(""), nse::Error);
}
