// The Result form: the whole way without an exception. Compiled with -fno-exceptions -fno-rtti, and again with exceptions and
// NSE_RESULTS=1; linked with a unit of the throwing form (results_other.cc). Prints what does not hold.

#include <nse/nse.hpp>

#include <cstdio>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

static_assert(NSE_RESULTS == 1);
static_assert(std::is_same_v<decltype(nse::Space::presets()), nse::Result<std::string>>);
static_assert(!std::is_convertible_v<nse::Result<bool>, bool> && !std::is_constructible_v<bool, nse::Result<bool>>,
              "`while (search.step())` must not compile");
static_assert(!std::is_constructible_v<nse::Search, nse::Space, nse::Dataset, const char *>, "it could not tell of a failure");

// In results_other.cc: the cost of an architecture, by the throwing form; 0 when something was thrown.
unsigned long macs_by_throwing(const char *code, const char *space_json);

namespace {

int failures = 0;

void expect(bool holds, const char *what, int line) {
    if (!holds) {
        ++failures;
        std::fprintf(stderr, "results.cc:%d: %s\n", line, what);
    }
}
#define EXPECT(condition) expect((condition), #condition, __LINE__)

/// Whether this is a failure with that status.
template <class T> bool failed(const nse::Result<T> &result, nse_status status) {
    return !result.ok() && result.error().code() == status;
}

constexpr auto space_json = R"({"name": "tiny", "input": {"channels": 1, "height": 12, "width": 12}, "classes": 3,
    "stem": {"channels": 6, "stride": 1}, "tail": {"channels": 24},
    "cells": [{"kind": "normal", "operators": ["mbconv_k3_t1", "mbconv_k3_t2"]}, {"kind": "reduce", "channels": 8}],
    "operators": ["mbconv_k3_t1", "mbconv_k3_t2", "conv_k3_t1"]})";
constexpr auto options = R"({"seed": 7, "rounds": 2, "active": 2, "objective": {"low": 1, "high": 1e8, "target": 1e5, "alpha": 0},
    "train": {"epochs": 2, "batch": 16, "lr": 0.1}, "candidates": {"count": 4, "extras": 0}, "score": {"calibration": 48}, "threads": 1})";

struct Images {
    std::vector<std::uint8_t> pixels;
    std::vector<std::uint32_t> labels;
};
Images images(std::uint32_t count) {
    Images made;
    for (std::uint32_t i = 0; i < count; ++i) {
        made.labels.push_back(i % 3);
        for (std::uint32_t at = 0; at < 144; ++at) {
            made.pixels.push_back(static_cast<std::uint8_t>((i % 3 == 0 ? at / 12 : at % 12) % 4 < 2 ? 200 : 20 + i));
        }
    }
    return made;
}

void errors() {
    const nse::Result<nse::Space> space = nse::Space::preset("nse-99");
    EXPECT(failed(space, NSE_ERR_INVALID_ARGUMENT));
    EXPECT(std::string(space.error().what()).find("\"nse-99\"") != std::string::npos);
    EXPECT(space.error().detail() == R"({"argument":"name"})");
    EXPECT(failed(nse::Space::preset(std::string_view("nse-27\0", 7)), NSE_ERR_INVALID_ARGUMENT));
    EXPECT(failed(nse::Space().to_json(), NSE_ERR_INVALID_HANDLE));
    EXPECT(failed(nse::Dataset::from_memory({1, 2, 2}, {0}, {0}), NSE_ERR_INVALID_ARGUMENT));
    EXPECT(failed(nse::Dataset::borrow({1, 2, 2}, {0}, {0}), NSE_ERR_INVALID_ARGUMENT));
    EXPECT(failed(nse::set_log_level(99), NSE_ERR_INVALID_ARGUMENT));
    EXPECT(failed(nse::Search::load_told("no/such/file"), NSE_ERR_IO));
    EXPECT(nse::abi_check().ok());
    nse::Result<nse::Space> kept = nse::Space::from_json(space_json);
    EXPECT(std::move(kept).value_or(nse::Space()).get() != nullptr);
}

void datasets() {
    const Images made = images(12);
    const auto source = [&](std::uint32_t first, std::uint32_t count, std::uint8_t *pixels, std::uint32_t *labels) {
        for (std::uint32_t i = 0; i < count; ++i) {
            labels[i] = made.labels[first + i];
            for (std::size_t at = 0; at < 144; ++at) {
                pixels[i * 144 + at] = made.pixels[(first + i) * 144 + at];
            }
        }
    };
    const auto written = nse::Dataset::from_source({1, 12, 12}, 12, source);
    const auto kept = nse::Dataset::borrow({1, 12, 12}, made.pixels, made.labels);
    EXPECT(*written->info() == *kept->info());
    const auto refused = nse::Dataset::from_source(
        {1, 12, 12}, 12, [](std::uint32_t, std::uint32_t, std::uint8_t *, std::uint32_t *) { return std::int32_t{7}; });
    EXPECT(failed(refused, NSE_ERR_CALLBACK) && refused.error().detail().find("7") != std::string::npos);
    EXPECT(kept->split(0.25).ok() && failed(kept->split(0), NSE_ERR_INVALID_ARGUMENT));
}

void search_and_model() {
    const nse::Space space = *nse::Space::from_json(space_json);
    const Images made = images(48);
    const nse::Dataset train = *nse::Dataset::from_memory({1, 12, 12}, made.pixels, made.labels);
    EXPECT(failed(nse::Search::create(space, train, R"({"active": 2, "objective": {"low": 1, "high": 2}})"), NSE_ERR_UNREACHABLE));
    EXPECT(failed(nse::Search::create(space, train, nse::SearchParts().latency(nse::Latency()), options), NSE_ERR_INVALID_HANDLE));

    int events = 0;
    bool cancels = true;
    nse::Search search = *nse::Search::create(space, train, options, [&](const nse::Event &) { return ++events, cancels; });
    EXPECT(failed(search.step(), NSE_ERR_CANCELLED) && events == 1);
    cancels = false;
    EXPECT(*search.step());
    EXPECT(*search.step_async()->poll() == NSE_DONE);
    EXPECT(!search.front()->empty() && failed(search.best(0), NSE_ERR_NOT_FOUND));
    const nse::Matrix<double> scores = *search.scores();
    EXPECT(scores.at(1, 2).ok() && failed(scores.at(2, 0), NSE_ERR_NOT_FOUND));
    const nse::Scored best = *search.best();
    EXPECT(macs_by_throwing(best.arch.code()->c_str(), space_json) == best.arch.cost()->macs);

    nse::Operation training = *nse::Model::train_async(best.arch, train, R"({"train": {"epochs": 1, "batch": 16}})");
    EXPECT(*training.poll() == NSE_OK);
    const nse::Model model = *nse::Model::take(training);
    EXPECT(model.evaluate(train)->accuracy >= 0 && failed(nse::Model::take(training), NSE_ERR_NOT_FOUND));
    EXPECT(failed(model.export_to("bmp", "x"), NSE_ERR_INVALID_ARGUMENT));
}

void pushed() {
    nse::Search search = *nse::Search::pushed(*nse::Space::from_json(space_json), options);
    const std::vector<float> pixels(16 * 144, 0.5f);
    const std::vector<std::uint32_t> labels(16, 1);
    nse::Batch batch{pixels.data(), labels.data(), 16, 0.1};
    EXPECT(search.next()->next == nse::Phase::weight);
    EXPECT(failed(search.push(nse::Phase::evaluate, batch), NSE_ERR_INVALID_ARGUMENT));
    EXPECT(search.push(nse::Phase::weight, batch)->step == 1);
}

void told() {
    nse::Search search = *nse::Search::told(*nse::Space::from_json(space_json), options);
    const nse::Result<nse::Asked> asked = search.ask(2);
    nse::Told result;
    result.code = *asked->archs.at(0).code();
    result.accuracy = 0.5;
    EXPECT(*search.tell(result) == nse::Effect::counted && *search.tell(result) == nse::Effect::repeated);
    result.accuracy = 0.6;
    EXPECT(failed(search.tell(result), NSE_ERR_CONFLICT));
    result.code = std::string("n1\0", 3);
    EXPECT(failed(search.tell(result), NSE_ERR_INVALID_ARGUMENT));
    EXPECT(search.forget(*asked->archs.at(1).code()).ok() && *search.pending() == "[]");
}

void log() {
    int lines = 0;
    EXPECT(nse::set_log([&](std::int32_t, std::string_view, std::string_view) { ++lines; }).ok());
    EXPECT(nse::Search::told(*nse::Space::from_json(space_json), options).ok());
    EXPECT(lines > 0 && nse::clear_log().ok());
}

#ifdef __cpp_exceptions
/// What a callback throws is thrown again in this form too, and the value of a failure throws the error.
void thrown() {
    bool caught = false;
    try {
        static_cast<void>(nse::Dataset::from_source(
            {1, 12, 12}, 12, [](std::uint32_t, std::uint32_t, std::uint8_t *, std::uint32_t *) { throw 42; }));
    } catch (int number) {
        caught = number == 42;
    }
    EXPECT(caught);
    caught = false;
    try {
        static_cast<void>(nse::Space::preset("nse-99").value());
    } catch (const nse::Error &error) {
        caught = error.code() == NSE_ERR_INVALID_ARGUMENT;
    }
    EXPECT(caught);
}
#endif

} // namespace

int main() {
    errors();
    datasets();
    search_and_model();
    pushed();
    told();
    log();
#ifdef __cpp_exceptions
    thrown();
#endif
    EXPECT(*nse::shutdown());
    return failures == 0 ? 0 : 1;
}
