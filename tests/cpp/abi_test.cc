// A library that does not fit the header. This program brings its own nse_abi_check, which stands before that of libnse.

#include <nse/nse.hpp>

#include <gtest/gtest.h>

namespace {
nse_status answer = NSE_ERR_ABI;
int asked = 0;
} // namespace

extern "C" nse_status nse_abi_check(std::uint32_t header_abi) {
    EXPECT_EQ(header_abi, std::uint32_t{NSE_ABI_VERSION});
    ++asked;
    return answer;
}

namespace {

struct Listener {
    int *alive;
    explicit Listener(int *count) : alive(count) { ++*alive; }
    Listener(const Listener &other) : alive(other.alive) { ++*alive; }
    Listener &operator=(const Listener &) = delete;
    ~Listener() { --*alive; }
    void operator()(const nse::Event &) const {}
};

// One test: what is checked once per process cannot be checked in any order.
TEST(Abi, AMismatchIsThrownBeforeTheFirstCallAndAFitIsAskedForOnce) {
    for (int i = 0; i < 2; ++i) {
        try {
            (void)nse::Space::preset("nse-27-small");
            FAIL() << "nothing was thrown";
        } catch (const nse::Error &error) {
            EXPECT_EQ(error.code(), NSE_ERR_ABI);
            EXPECT_NE(std::string(error.what()).find("ABI " + std::to_string(NSE_ABI_VERSION)), std::string::npos) << error.what();
        }
    }
    EXPECT_THROW(nse::abi_check(), nse::Error);

    int alive = 0;
    EXPECT_THROW(nse::Search(nse::Space(), nse::Dataset(), "{}", Listener(&alive)), nse::Error);
    EXPECT_EQ(alive, 0) << "the callback was lost";

    answer = NSE_OK;
    asked = 0;
    (void)nse::Space::preset("nse-27-small");
    (void)nse::Space::presets();
    EXPECT_EQ(asked, 1);
}

} // namespace
