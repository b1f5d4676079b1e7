// Restoring an image, through the binding.

#include "support.hpp"

#include <cmath>
#include <limits>
#include <set>
#include <string>

using support::contains;

namespace {

nse::Picture clean() {
    nse::Picture picture{3, 20, 18, {}};
    for (unsigned at = 0; at < 3 * 360; ++at) {
        const unsigned y = at % 360 / 18, x = at % 18;
        picture.values.push_back(x > 4 && x < 12 && y > 6 && y < 15 ? 0.8f : 0.2f + 0.02f * static_cast<float>(y));
    }
    return picture;
}

nse::Picture noisy() {
    nse::Picture picture = clean();
    unsigned state = 1;
    for (float &value : picture.values) {
        state = state * 1664525u + 1013904223u;
        value += 0.4f * (static_cast<float>(state >> 8) / 16777216.0f - 0.5f);
    }
    return picture;
}

const char *const options = R"({"task": "denoise", "seed": 2, "threads": 1, "train": {"iterations": 120, "input_channels": 4, "smoothing": 0.9},
    "search": {"units": 1, "population": 3, "generations": 2, "max_macs": 2000000}})";

TEST(Restoration, MakesNoiseLess) {
    const nse::Picture damaged = noisy(), reference = clean();
    int steps = 0, generations = 0;
    nse::Restoration restoration = nse::Restoration::create(nse::Damage(damaged).reference(reference), options, [&](const nse::Event &event) {
        steps += event.kind == NSE_EVENT_TRAIN;
        generations += event.kind == NSE_EVENT_FINISH;
    });
    EXPECT_TRUE(restoration.step());
    EXPECT_FALSE(restoration.step());
    EXPECT_GT(steps, 0);
    EXPECT_EQ(generations, 2);
    const nse::Restored restored = restoration.run();
    const double before = damaged.compare(reference).psnr, after = restored.picture.compare(reference).psnr;
    EXPECT_GT(after, before + 1) << restored.report;
    EXPECT_TRUE(contains(restored.report, R"("code":"1-)")) << restored.report;
    EXPECT_TRUE(contains(restoration.report(), R"("done":true)"));
}

TEST(Restoration, IsAskedAndToldAndGoesOnFromAFile) {
    const nse::Picture damaged = noisy();
    const support::Folder folder;
    const nse::Damage damage(damaged);
    nse::Restoration first = nse::Restoration::create(damage, options);
    const nse::AskedCodes asked = first.ask(9);
    ASSERT_EQ(asked.codes.size(), 3u);
    EXPECT_EQ(std::set<std::string>(asked.codes.begin(), asked.codes.end()).size(), 3u);
    EXPECT_EQ(first.tell(asked.codes[0], 20.5), nse::Effect::counted);
    EXPECT_EQ(first.tell(asked.codes[1], std::numeric_limits<double>::quiet_NaN()), nse::Effect::counted);
    first.forget(asked.codes[2]);
    first.save(folder.file("restoration.nse"));
    nse::Restoration second = nse::Restoration::load(folder.file("restoration.nse"), damage);
    EXPECT_EQ(second.ask(9).codes, std::vector<std::string>{asked.codes[2]});
    EXPECT_EQ(second.tell(asked.codes[0], 20.5), nse::Effect::repeated);
    EXPECT_EQ(support::error_of([&] { second.tell(asked.codes[0], 21); })->code(), NSE_ERR_CONFLICT);
}

TEST(Restoration, NamesWhatIsWrong) {
    nse::Picture damaged = noisy();
    const auto message = [&](const char *text) {
        try {
            static_cast<void>(nse::Restoration::create(nse::Damage(damaged), text));
        } catch (const nse::Error &error) {
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_TRUE(contains(message(R"({"task": "denoise", "seed": -1})"), "/seed"));
    EXPECT_TRUE(contains(message(R"({"task": "inpaint"})"), "mask"));
    damaged.values[7] = 200;
    EXPECT_TRUE(contains(message(R"({"task": "denoise"})"), "value 7 is 200"));
    damaged.values.pop_back();
    EXPECT_TRUE(contains(message(R"({"task": "denoise"})"), "1079 values for 3 x 20 x 18"));
    EXPECT_EQ(support::error_of([] { static_cast<void>(nse::describe_genome("1-zz", 3, 8, 8)); })->code(), NSE_ERR_INVALID_ARGUMENT);
    EXPECT_TRUE(contains(nse::describe_genome("classic", 3, 64, 64), R"("params":2217831)"));
    EXPECT_TRUE(contains(nse::Restoration::options_schema(), "super_resolution"));
}

TEST(Restoration, StopsWhenItIsToldTo) {
    const nse::Picture damaged = noisy();
    nse::Restoration restoration =
        nse::Restoration::create(nse::Damage(damaged), options, [](const nse::Event &event) { return event.kind == NSE_EVENT_TRAIN; });
    EXPECT_EQ(support::error_of([&] { restoration.step(); })->code(), NSE_ERR_CANCELLED);
    nse::Operation operation = restoration.step_async();
    restoration.cancel();
    EXPECT_EQ(support::error_of([&] { static_cast<void>(operation.poll(NSE_FOREVER)); })->code(), NSE_ERR_CANCELLED);
}

} // namespace
