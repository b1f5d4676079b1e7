// A space, images and options that are small enough to train in a second, and how errors are looked at.
#ifndef NSE_TESTS_SUPPORT_HPP
#define NSE_TESTS_SUPPORT_HPP

#include <nse/nse.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace support {

inline constexpr std::uint32_t side = 12, classes = 3;

/// Three cells; the first has three operators, the others four.
inline const char *space_json() {
    return R"({
        "name": "tiny", "input": {"channels": 1, "height": 12, "width": 12}, "classes": 3,
        "stem": {"channels": 6, "stride": 1},
        "cells": [
            {"kind": "normal", "operators": ["mbconv_k3_t1", "mbconv_k3_t2", "mbconv_k5_t1"]},
            {"kind": "reduce", "channels": 8},
            {"kind": "expand", "channels": 12}
        ],
        "operators": ["mbconv_k3_t1", "mbconv_k3_t2", "mbconv_k5_t1", "conv_k3_t1"],
        "tail": {"channels": 24}
    })";
}

inline nse::Space space() { return nse::Space::from_json(space_json()); }

/// Images of horizontal, vertical and diagonal stripes, at a shifting place and with a little noise.
struct Images {
    std::vector<std::uint8_t> pixels;
    std::vector<std::uint32_t> labels;
};

inline Images images(std::uint32_t count) {
    Images images;
    std::uint32_t noise = 1;
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t label = i % classes, shift = i / classes;
        images.labels.push_back(label);
        for (std::uint32_t y = 0; y < side; ++y) {
            for (std::uint32_t x = 0; x < side; ++x) {
                const std::uint32_t along = label == 0 ? y : label == 1 ? x : x + y;
                noise = noise * 1664525u + 1013904223u;
                images.pixels.push_back(static_cast<std::uint8_t>(((along + shift) % 4 < 2 ? 200 : 20) + (noise >> 27)));
            }
        }
    }
    return images;
}

inline nse::Dataset dataset(std::uint32_t count = 96) {
    const Images made = images(count);
    return nse::Dataset::from_memory({1, side, side}, made.pixels, made.labels, classes);
}

/// Any architecture is allowed; a round is `epochs` of 5 steps.
inline std::string search_options(int rounds = 2, int epochs = 4, int seed = 7) {
    return R"({"seed": )" + std::to_string(seed) + R"(, "rounds": )" + std::to_string(rounds) +
           R"(, "active": 3, "objective": {"low": 1, "high": 100000000, "target": 100000, "alpha": 0},
               "train": {"epochs": )" +
           std::to_string(epochs) +
           R"(, "batch": 16, "lr": 0.1, "augment": {"pad": 0, "flip": false}},
               "candidates": {"count": 6, "extras": 0}, "score": {"calibration": 48},
               "held_out": 0.2, "threads": 1})";
}

inline nse::Search search(int rounds = 2, int epochs = 4, int seed = 7) {
    return nse::Search(space(), dataset(), search_options(rounds, epochs, seed));
}

/// What `body` throws, which must be an nse::Error.
template <class Body> std::optional<nse::Error> error_of(Body body) {
    try {
        body();
    } catch (const nse::Error &error) {
        return error;
    }
    return std::nullopt;
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// The number behind the first `"key":` of a JSON text; NaN without one.
inline double number(const std::string &json, const std::string &key) {
    const auto at = json.find('"' + key + "\":");
    return at == std::string::npos ? std::numeric_limits<double>::quiet_NaN() : std::atof(json.c_str() + at + key.size() + 3);
}

/// The texts of a JSON list of texts.
inline std::vector<std::string> texts(const std::string &json) {
    std::vector<std::string> texts;
    for (std::size_t from = json.find('"'); from != std::string::npos; from = json.find('"', from)) {
        const std::size_t to = json.find('"', from + 1);
        texts.push_back(json.substr(from + 1, to - from - 1));
        from = to + 1;
    }
    return texts;
}

/// A table in which every operation that `space` can need takes the same time.
inline nse::Latency latency(const nse::Space &space, double time = 1) {
    nse::Latency latency = nse::Latency::create();
    for (const std::string &key : texts(latency.missing(space))) {
        latency.set(key, time);
    }
    return latency;
}

/// A history without its times, which are never the same twice.
inline std::string without_seconds(std::string history) {
    const std::string_view start = R"("seconds":{)";
    for (std::size_t at = history.find(start); at != std::string::npos; at = history.find(start, at)) {
        history.erase(at, history.find('}', at) + 1 - at);
    }
    return history;
}

/// A front as text, to compare.
inline std::string text(const std::vector<nse::Scored> &front) {
    std::string text;
    for (const nse::Scored &member : front) {
        text += member.arch.to_json() + ' ' + std::to_string(member.accuracy) + '\n';
    }
    return text;
}

inline std::string content(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A folder that goes away with the test.
class Folder {
  public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "nse-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    Folder(const Folder &) = delete;
    Folder &operator=(const Folder &) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string file(const std::string &name) const { return (path_ / name).string(); }
    [[nodiscard]] std::string file(const std::string &name, std::string_view content) const {
        std::ofstream(path_ / name, std::ios::binary) << content;
        return file(name);
    }

  private:
    std::filesystem::path path_;
};

} // namespace support

/// `statement` throws an nse::Error of this code; it goes to the variable `error`.
#define ASSERT_ERROR(error, expected, statement)                                                                               \
    const std::optional<nse::Error> error = support::error_of([&] { statement; });                                             \
    ASSERT_TRUE(error.has_value()) << #statement " did not throw";                                                             \
    ASSERT_EQ(error->code(), expected) << error->what()

/// The same, when nothing else of the error matters.
#define EXPECT_ERROR(expected, statement)                                                                                      \
    do {                                                                                                                       \
        ASSERT_ERROR(thrown, expected, statement);                                                                             \
    } while (false)

#endif
