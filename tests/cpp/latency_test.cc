// Latency tables: made, filled, summed up, measured, and searched with.

#include "support.hpp"

#include <cmath>
#include <memory>
#include <stdexcept>
#include <thread>

using support::contains;

namespace {

struct Stop : std::runtime_error {
    Stop() : std::runtime_error("stop") {}
};

/// Quick; or so long that a cancel on the first event is sure to come before the end.
constexpr auto quick = R"({"warmup": 0, "repeats": 1, "threads": 1})", slow = R"({"repeats": 2000, "threads": 1})";

/// Operations that an architecture of the tiny space can need.
constexpr int operations = 27;

nse::Arch small_arch() { return nse::Arch::uniform(support::space(), "mbconv_k3_t1"); }

/// In latency: from `low` to `high` of the table's unit.
std::string latency_options(double low = 1, double high = 1000) {
    std::string options = support::search_options(1);
    const std::size_t from = options.find(R"({"low")"), to = options.find('}', from);
    return options.replace(from, to - from,
                           R"({"cost": "latency", "low": )" + std::to_string(low) + R"(, "high": )" + std::to_string(high));
}

TEST(Latency, IsMadeEmptyAndFilled) {
    const nse::Space space = support::space();
    nse::Latency latency = nse::Latency::create("us");
    const std::vector<std::string> keys = support::texts(latency.missing(space));
    EXPECT_EQ(keys.size(), std::size_t{operations});
    for (const std::string &key : keys) {
        latency.set(key, 0.25);
    }
    EXPECT_EQ(latency.missing(space), "[]");
    EXPECT_NE(latency.missing(nse::Space::preset("nse-27-small")), "[]");
}

TEST(Latency, ComesBackFromItsText) {
    const nse::Latency latency = support::latency(support::space(), 0.1);
    const std::string csv = latency.to_text("csv"), json = latency.to_text("json");
    EXPECT_TRUE(contains(csv, "# unit: ms\n")) << csv;
    EXPECT_TRUE(contains(csv, "\nlinear,1,24,3,0,0,0,0,0,0.1\n")) << csv;
    for (const std::string &text : {csv, json}) {
        const nse::Latency again = nse::Latency::parse(text);
        EXPECT_EQ(again.to_text("csv"), csv);
        EXPECT_EQ(again.to_text("json"), json);
    }
    EXPECT_TRUE(contains(nse::Latency::create("us").to_text("csv"), "# unit: us\n"));
    EXPECT_TRUE(contains(nse::Latency::create().to_text("json"), R"("unit": "ms")"));
}

TEST(Latency, SumsUpAnArchitecture) {
    nse::Latency latency = support::latency(support::space());
    // Stem, three convolutions in each of three cells, the addition of the first cell's input, tail, pooling, classifier.
    EXPECT_EQ(latency.arch(small_arch()), 1 + 3 * 3 + 1 + 1 + 1 + 1);
    latency.set("linear,1,24,3,0,0,0,0,0", 100);
    EXPECT_EQ(latency.arch(small_arch()), 14 - 1 + 100);
}

TEST(Latency, ASpaceIsDescribedWithIt) {
    const nse::Space space = support::space();
    const nse::Latency latency = support::latency(space);
    EXPECT_FALSE(contains(space.describe(), "latency"));
    const std::string described = space.describe(latency);
    const std::string range = described.substr(described.find(R"("latency":)"));
    EXPECT_GT(support::number(range, "least"), 0);
    EXPECT_LE(support::number(range, "least"), latency.arch(small_arch()));
    EXPECT_GT(support::number(range, "greatest"), latency.arch(small_arch()));
}

TEST(Latency, WhatIsMissingIsListed) {
    const nse::Space space = support::space();
    const nse::Latency empty = nse::Latency::create();
    const std::string all = R"({"missing":)" + empty.missing(space) + '}';
    ASSERT_ERROR(described, NSE_ERR_MISSING_LATENCY, (void)space.describe(empty));
    EXPECT_EQ(described->detail(), all);
    ASSERT_ERROR(searched, NSE_ERR_MISSING_LATENCY,
                 nse::Search(space, support::dataset(), nse::SearchParts().latency(empty), latency_options()));
    EXPECT_EQ(searched->detail(), all);

    ASSERT_ERROR(summed, NSE_ERR_MISSING_LATENCY, (void)empty.arch(small_arch()));
    EXPECT_STREQ(summed->name(), "NSE_ERR_MISSING_LATENCY");
    nse::Latency enough = nse::Latency::create();
    const std::string &detail = summed->detail();
    for (const std::string &key : support::texts(detail.substr(detail.find('[')))) {
        enough.set(key, 1);
    }
    EXPECT_EQ(enough.arch(small_arch()), 14);
    EXPECT_NE(enough.missing(space), "[]");
}

TEST(Latency, WrongTextsKeysAndTimesAreNamed) {
    nse::Latency latency = nse::Latency::create();
    ASSERT_ERROR(line, NSE_ERR_CONFIG, (void)nse::Latency::parse(support::latency(support::space()).to_text("csv") + "conv,1\n"));
    EXPECT_TRUE(contains(line->detail(), R"("pointer":"line )" + std::to_string(2 + operations + 1) + '"')) << line->detail();
    ASSERT_ERROR(unit, NSE_ERR_CONFIG, (void)nse::Latency::parse(R"({"unit": 3})"));
    EXPECT_TRUE(contains(unit->detail(), R"("pointer":"/unit")")) << unit->detail();
    ASSERT_ERROR(key, NSE_ERR_INVALID_ARGUMENT, latency.set("conv,28", 1));
    EXPECT_EQ(key->detail(), R"({"argument":"key"})");
    for (const double time : {-1.0, std::nan(""), HUGE_VAL}) {
        ASSERT_ERROR(error, NSE_ERR_INVALID_ARGUMENT, latency.set("linear,1,24,3,0,0,0,0,0", time));
        EXPECT_EQ(error->detail(), R"({"argument":"time"})");
    }
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)latency.to_text("xml"));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Latency::create(std::string_view("m\0s", 3)));
    EXPECT_EQ(latency.missing(support::space()), nse::Latency::create().missing(support::space())) << "an error left a trace";
}

TEST(Latency, IsMeasuredWithProgressOnTheCallingThread) {
    const std::thread::id here = std::this_thread::get_id();
    std::uint64_t last = 0;
    const nse::Latency latency = nse::Latency::measure(support::space(), quick, [&](const nse::Event &event) {
        EXPECT_EQ(std::this_thread::get_id(), here);
        EXPECT_EQ(event.kind, std::uint32_t{NSE_EVENT_MEASURE});
        EXPECT_EQ(event.steps, std::uint64_t{operations});
        EXPECT_GT(event.step, last);
        EXPECT_LE(event.step, event.steps);
        EXPECT_TRUE(std::isnan(event.loss));
        last = event.step;
    });
    EXPECT_GT(last, 0u);
    EXPECT_EQ(latency.missing(support::space()), "[]");
    EXPECT_GT(latency.arch(small_arch()), 0);
    EXPECT_TRUE(contains(nse::Latency::measure_options_schema(), "\"repeats\""));
}

TEST(Latency, MeasuringIsCancelledByTrue) {
    int calls = 0;
    EXPECT_ERROR(NSE_ERR_CANCELLED, (void)nse::Latency::measure(support::space(), slow, [&](const nse::Event &) {
                     ++calls;
                     return true;
                 }));
    EXPECT_EQ(calls, 1);
}

TEST(Latency, AnExceptionOfTheCallbackIsThrownAgain) {
    int calls = 0;
    EXPECT_THROW((void)nse::Latency::measure(support::space(), slow,
                                             [&](const nse::Event &) {
                                                 ++calls;
                                                 throw Stop();
                                             }),
                 Stop);
    EXPECT_EQ(calls, 1) << "an event was delivered after the exception";
}

TEST(Latency, AnExceptionAfterTheLastOperationIsThrownToo) {
    // So few events all find room in the queue: none is left out.
    EXPECT_THROW((void)nse::Latency::measure(support::space(), quick,
                                             [](const nse::Event &event) {
                                                 if (event.step == event.steps) {
                                                     throw Stop();
                                                 }
                                             }),
                 Stop);
}

TEST(Latency, TheCallbackIsFreedWhateverHappens) {
    auto token = std::make_shared<int>(0);
    const auto listener = [&] { return [token](const nse::Event &) {}; };
    (void)nse::Latency::measure(support::space(), quick, listener());
    EXPECT_EQ(token.use_count(), 1);
    ASSERT_ERROR(options, NSE_ERR_CONFIG, (void)nse::Latency::measure(support::space(), R"({"repeats": 0})", listener()));
    EXPECT_TRUE(contains(options->detail(), R"("pointer":"/repeats")")) << options->detail();
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Latency::measure(nse::Space(), quick, listener()));
    EXPECT_ERROR(NSE_ERR_DEVICE, (void)nse::Latency::measure(support::space(), R"({"device": "abacus"})", listener()));
    EXPECT_EQ(token.use_count(), 1);
}

TEST(Latency, IsWhatASearchCounts) {
    const nse::Space space = support::space();
    nse::Latency latency = support::latency(space, 0.5);
    const nse::Dataset train = support::dataset(), held_out = support::dataset(30);
    nse::Search search(space, train, nse::SearchParts().held_out(held_out).latency(latency), latency_options(1, 15));
    latency.set("linear,1,24,3,0,0,0,0,0", 100); // too late to change anything
    EXPECT_FALSE(search.step());
    EXPECT_TRUE(contains(search.history(), R"("metric":"latency")")) << search.history();

    latency.set("linear,1,24,3,0,0,0,0,0", 0.5);
    const std::vector<nse::Scored> front = search.front();
    ASSERT_FALSE(front.empty());
    for (const nse::Scored &member : front) {
        EXPECT_LE(latency.arch(member.arch), 15);
    }
    const double least = latency.arch(front.front().arch);
    EXPECT_EQ(search.best(least).arch.to_json(), front.front().arch.to_json());
    EXPECT_ERROR(NSE_ERR_NOT_FOUND, (void)search.best(least - 0.25));
    EXPECT_EQ(search.best().arch.to_json(), front.back().arch.to_json());

    ASSERT_ERROR(window, NSE_ERR_UNREACHABLE,
                 nse::Search(space, train, nse::SearchParts().latency(latency), latency_options(0.1, 0.2)));
    EXPECT_EQ(support::number(window->detail(), "high"), 0.2);
    EXPECT_GT(support::number(window->detail(), "least"), 0.2);
}

TEST(Latency, ASearchInLatencyNeedsATable) {
    ASSERT_ERROR(error, NSE_ERR_INVALID_ARGUMENT, nse::Search(support::space(), support::dataset(), latency_options()));
    EXPECT_EQ(error->detail(), R"({"argument":"latency"})");
}

} // namespace
