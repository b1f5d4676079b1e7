// A small search from end to end: spaces, the shapes of the tables, the front, training, evaluation, export.

#include "support.hpp"

#include <algorithm>
#include <cmath>

using support::contains;

namespace {

constexpr auto model_options =
    R"({"seed": 3, "train": {"epochs": 15, "batch": 16, "lr": 0.1, "augment": {"pad": 0, "flip": false}},
        "calibration": 96, "threads": 1})";

TEST(Library, SaysWhatItIs) {
    EXPECT_EQ(nse::version(), nse_version_string());
    EXPECT_EQ(nse::version_number(), nse_version_number());
    EXPECT_NO_THROW(nse::abi_check());
    EXPECT_TRUE(contains(nse::runtime_info(), R"("version":")" + std::string(nse::version()) + '"')) << nse::runtime_info();
    EXPECT_TRUE(contains(nse::Search::options_schema(), "\"objective\""));
    EXPECT_TRUE(contains(nse::Model::options_schema(), "\"calibration\""));
    EXPECT_FALSE(contains(nse::Model::options_schema(), "\"objective\""));
}

TEST(Space, PresetsAndOverrides) {
    EXPECT_TRUE(contains(nse::Space::presets(), "\"nse-27-small\"")) << nse::Space::presets();
    EXPECT_EQ(nse::presets(), nse::Space::presets());
    const std::string plain = nse::Space::preset("nse-27-small").describe();
    const std::string thin = nse::Space::preset("nse-27-small", R"({"channels": [8, 8, 8]})").describe();
    EXPECT_EQ(support::number(plain, "cells"), 7);
    const auto least_params = [](const std::string &json) {
        return support::number(json.substr(json.find("\"params\"")), "least");
    };
    EXPECT_LT(least_params(thin), least_params(plain));
}

TEST(Space, ComesBackFromItsJson) {
    const std::string json = support::space().to_json();
    EXPECT_EQ(nse::Space::from_json(json).to_json(), json);
    EXPECT_EQ(support::number(support::space().describe(), "most_operators_per_cell"), 4);
}

TEST(Dataset, SplitsByFraction) {
    const nse::Dataset all = support::dataset(96);
    const auto [rest, part] = all.split(0.25);
    EXPECT_EQ(support::number(rest.info(), "images"), 72);
    EXPECT_EQ(support::number(part.info(), "images"), 24);
    EXPECT_EQ(support::number(part.info(), "height"), support::side);
}

TEST(Dataset, OpensFiles) {
    const support::Folder folder;
    const support::Images made = support::images(6);
    std::string images{"\0\0\x08\x03\0\0\0\x06\0\0\0\x0c\0\0\0\x0c", 16}, labels{"\0\0\x08\x01\0\0\0\x06", 8};
    images.append(made.pixels.begin(), made.pixels.end());
    for (const std::uint32_t label : made.labels) {
        labels.push_back(static_cast<char>(label));
    }
    const nse::Dataset dataset = nse::Dataset::open(R"({"format": "idx", "images": ")" + folder.file("images", images) +
                                                    R"(", "labels": ")" + folder.file("labels", labels) + R"("})");
    EXPECT_EQ(support::number(dataset.info(), "images"), 6);
    EXPECT_EQ(support::number(dataset.info(), "classes"), 3);
    EXPECT_EQ(support::number(dataset.info(), "width"), 12);
}

TEST(Arch, HasJsonAndCost) {
    const nse::Space space = support::space();
    const nse::Arch arch = nse::Arch::from_json(space, R"({"cells": [[], ["conv_k3_t1", "mbconv_k3_t1"], ["mbconv_k5_t1"]]})");
    EXPECT_EQ(nse::Arch::from_json(space, arch.to_json()).to_json(), arch.to_json());
    EXPECT_TRUE(contains(arch.to_json(), R"("cells":[[],["mbconv_k3_t1","conv_k3_t1"],["mbconv_k5_t1"]])")) << arch.to_json();
    const nse::Arch part = nse::Arch::from_json(space, R"({"cells": [[], ["mbconv_k3_t1"], ["mbconv_k5_t1"]]})");
    const nse::Cost more = arch.cost(), less = part.cost();
    EXPECT_GT(more.macs, less.macs);
    EXPECT_GT(more.params, less.params);
    EXPECT_GT(more.macs, more.params) << "a weight is used at more than one place, so this is no mere number of parameters";
}

TEST(Arch, PublishedOnesCostWhatWasPublished) {
    const nse::Arch arch = nse::Arch::preset("nsenet-27");
    EXPECT_EQ(arch.cost().macs, 326325200u);
    EXPECT_EQ(arch.cost().params, 4570464u);
    // The sums stand behind the list of the cells.
    const auto sums = [&](const std::string &json) { return json.substr(json.rfind(']')); };
    const std::string plain = sums(arch.describe());
    EXPECT_EQ(support::number(plain, "macs"), 326325200);
    EXPECT_EQ(support::number(plain, "published_macs"), 326326224);
    EXPECT_EQ(support::number(plain, "params"), 4570464);
    EXPECT_TRUE(contains(plain, R"("space":"nse-27")")) << plain;
    const std::string variant = sums(arch.describe(R"({"squeeze_excitation": true, "activation": "swish"})"));
    EXPECT_EQ(support::number(variant, "macs"), 328334608);
    EXPECT_GT(support::number(variant, "params"), 4570464);

    for (const std::string name : {"nsenet-27", "nsenet", "nsenet-gpu"}) {
        EXPECT_TRUE(contains(nse::Arch::presets(), R"("name":")" + name + '"')) << nse::Arch::presets();
        EXPECT_GT(nse::Arch::preset(name).cost().macs, nse::Arch::preset(name, R"({"scale": 0.5})").cost().macs);
    }
}

TEST(Arch, HasASpaceThatOutlivesIt) {
    nse::Arch arch = nse::Arch::preset("nsenet-27");
    const nse::Space space = arch.space();
    const std::string json = arch.to_json();
    const nse::Cost cost = arch.cost();
    arch.reset();
    const nse::Arch again = nse::Arch::from_json(space, json);
    EXPECT_EQ(again.to_json(), json);
    EXPECT_EQ(again.cost().macs, cost.macs);
    EXPECT_EQ(again.space().to_json(), space.to_json());
}

TEST(Arch, WhatIsNotPublishedIsRefused) {
    ASSERT_ERROR(name, NSE_ERR_INVALID_ARGUMENT, (void)nse::Arch::preset("nsenet-28"));
    EXPECT_EQ(name->detail(), R"({"argument":"name"})");
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Arch::preset("nsenet-27", R"({"repeats": [1, 1, 1, 1, 1, 1]})"));
    ASSERT_ERROR(overrides, NSE_ERR_CONFIG, (void)nse::Arch::preset("nsenet-27", R"({"depth": 3})"));
    EXPECT_TRUE(contains(overrides->detail(), R"("pointer":"/depth")")) << overrides->detail();
    ASSERT_ERROR(variant, NSE_ERR_CONFIG, (void)nse::Arch::preset("nsenet-27").describe(R"({"activation": "none"})"));
    EXPECT_TRUE(contains(variant->detail(), R"("pointer":"/activation")")) << variant->detail();
}

TEST(Matrix, ChecksItsIndices) {
    const nse::Matrix<int> matrix{2, 3, {1, 2, 3, 4, 5, 6}};
    EXPECT_EQ(matrix.at(0, 2), 3);
    EXPECT_EQ(matrix.at(1, 0), 4);
    EXPECT_ERROR(NSE_ERR_NOT_FOUND, (void)matrix.at(2, 0));
    EXPECT_ERROR(NSE_ERR_NOT_FOUND, (void)matrix.at(0, 3));
}

TEST(Search, TablesHaveARowPerCell) {
    nse::Search search = support::search(1);
    for (const bool stepped : {false, true}) {
        if (stepped) {
            search.step();
        }
        const nse::Matrix<double> scores = search.scores();
        const nse::Matrix<std::uint8_t> active = search.active();
        ASSERT_EQ(scores.cells, 3u);
        ASSERT_EQ(scores.operators, 4u);
        ASSERT_EQ(scores.values.size(), 12u);
        ASSERT_EQ(active.cells, 3u);
        ASSERT_EQ(active.operators, 4u);
        ASSERT_EQ(active.values.size(), 12u);
        EXPECT_TRUE(std::isnan(scores.at(0, 3))) << "the first cell has three operators";
        EXPECT_EQ(active.at(0, 3), 0);
        for (std::uint32_t cell = 0; cell < 3; ++cell) {
            int finite = 0, active_count = 0;
            for (std::uint32_t op = 0; op < 4; ++op) {
                finite += std::isfinite(scores.at(cell, op));
                active_count += active.at(cell, op);
            }
            EXPECT_EQ(finite, stepped ? 3 : 0) << "cell " << cell;
            if (!stepped) {
                EXPECT_EQ(active_count, 3) << "cell " << cell;
            }
        }
    }
}

TEST(Search, FromSpaceToExportedModel) {
    const nse::Dataset train = support::dataset();
    nse::Search search(support::space(), train, support::dataset(30), support::search_options(2, 6));
    EXPECT_TRUE(search.front().empty());
    EXPECT_EQ(search.history(), "");
    EXPECT_TRUE(search.step());
    EXPECT_TRUE(contains(search.status(), R"("completed":1)")) << search.status();
    EXPECT_FALSE(search.step());
    EXPECT_TRUE(contains(search.status(), R"("done":true)")) << search.status();
    EXPECT_FALSE(search.step()) << "after the last round nothing follows";

    const std::vector<nse::Scored> front = search.front();
    ASSERT_FALSE(front.empty());
    for (std::size_t i = 1; i < front.size(); ++i) {
        EXPECT_LT(front[i - 1].arch.cost().macs, front[i].arch.cost().macs);
        EXPECT_LT(front[i - 1].accuracy, front[i].accuracy);
    }
    const nse::Scored best = search.best(), cheapest = search.best(static_cast<double>(front.front().arch.cost().macs));
    EXPECT_EQ(best.arch.to_json(), front.back().arch.to_json());
    EXPECT_EQ(best.accuracy, front.back().accuracy);
    EXPECT_EQ(cheapest.arch.to_json(), front.front().arch.to_json());
    EXPECT_ERROR(NSE_ERR_NOT_FOUND, (void)search.best(static_cast<double>(front.front().arch.cost().macs) - 1));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)search.best(std::nan("")));

    const std::string history = search.history(), picture = search.report("svg");
    EXPECT_EQ(std::count(history.begin(), history.end(), '\n'), 2) << history;
    EXPECT_TRUE(contains(picture, "<svg") && contains(picture, "</svg>")) << picture;
    EXPECT_EQ(search.report("png").substr(1, 3), "PNG");
    EXPECT_TRUE(contains(search.report("html"), "Complete: 2 rounds."));
    EXPECT_TRUE(contains(best.arch.draw(), "<svg") && contains(best.arch.draw(), "cell 1 reduce"));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)best.arch.draw("dot"));
    EXPECT_GT(nse::Latency::measure_arch(best.arch, R"({"repeats": 2})"), 0.0);

    const nse::Model model = nse::Model::train(best.arch, train, model_options);
    const nse::Evaluation result = model.evaluate(support::dataset(60));
    EXPECT_GT(result.accuracy, 0.8) << "stripes in three directions are easy";
    EXPECT_LE(result.accuracy, 1.0);
    EXPECT_GT(result.loss, 0.0);
    EXPECT_LT(result.loss, std::log(3.0)) << "no better than a guess";

    const auto loss_on_part = [&](std::uint64_t seed) { return model.evaluate(train.split(0.25, seed).second).loss; };
    EXPECT_EQ(loss_on_part(5), loss_on_part(5));
    EXPECT_NE(loss_on_part(5), loss_on_part(6)) << "the seed of a split is not used";

    const support::Folder folder;
    const std::string path = folder.file("model.pt");
    model.export_to("torchscript", path);
    const std::string archive = support::content(path);
    EXPECT_EQ(archive.substr(0, 2), "PK");
    EXPECT_TRUE(contains(archive, "nse.json"));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, model.export_to("onnx-1", path));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, model.export_to("torchscript", std::string_view("a\0b", 3)));
    EXPECT_ERROR(NSE_ERR_IO, model.export_to("torchscript", folder.file("no/such/folder.pt")));
    EXPECT_EQ(support::content(path), archive) << "a failed export touched the file";
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)model.evaluate(nse::Dataset::from_memory({1, 1, 1}, {0, 1}, {0, 1})));
}

TEST(Search, HasItsSpaceAndItsOptions) {
    nse::Search search = support::search(2);
    const nse::Space space = search.space();
    const std::string options = search.options();
    search.reset();
    EXPECT_EQ(space.to_json(), support::space().to_json());
    EXPECT_EQ(support::number(options, "seed"), 7);
    EXPECT_EQ(support::number(options, "momentum"), 0.9) << "a default is not there: " << options;
    EXPECT_EQ(nse::Search(space, support::dataset(), options).options(), options);
}

TEST(Search, OptionsLieOverAPreset) {
    for (const std::string name : {"published-19", "published-27", "published-72", "one-gpu", "laptop"}) {
        EXPECT_TRUE(contains(nse::Search::options_presets(), R"("name":")" + name + '"')) << nse::Search::options_presets();
    }
    nse::Search search(support::space(), support::dataset(), R"({
        "preset": "laptop", "rounds": 1, "active": 3, "objective": {"low": 1, "high": 100000000},
        "train": {"batch": 16}, "candidates": {"count": 6}, "score": {"calibration": 48, "images": 9}, "threads": 1})");
    const std::string options = search.options();
    EXPECT_TRUE(contains(options, R"("preset":"laptop")")) << options;
    EXPECT_EQ(support::number(options, "epochs"), 3) << "not that of the preset: " << options;
    EXPECT_EQ(support::number(options, "extras"), 10) << "not that of the preset: " << options;
    EXPECT_EQ(support::number(options, "count"), 6) << "the preset hides an option: " << options;
    EXPECT_FALSE(search.step());
    EXPECT_FALSE(search.front().empty());
    ASSERT_ERROR(error, NSE_ERR_CONFIG, nse::Search(support::space(), support::dataset(), R"({"preset": "desktop"})"));
    EXPECT_TRUE(contains(error->detail(), R"("pointer":"/preset")")) << error->detail();
}

TEST(Search, TooFewCandidatesAreAnErrorOrAccepted) {
    const auto search = [](const std::string &too_few) {
        std::string options = support::search_options(1, 1);
        const std::string active = R"("active": 3)", count = R"("count": 6)";
        options.replace(options.find(active), active.size(), R"("active": 2)");
        options.replace(options.find(count), count.size(), R"("count": 100, "too_few": ")" + too_few + '"');
        return nse::Search(support::space(), support::dataset(), options);
    };
    ASSERT_ERROR(error, NSE_ERR_TOO_FEW, search("error"));
    EXPECT_STREQ(error->name(), "NSE_ERR_TOO_FEW");
    EXPECT_EQ(support::number(error->detail(), "wanted"), 100);
    // One or both of two operators in every cell; the first may be skipped.
    EXPECT_EQ(support::number(error->detail(), "found"), 4 * 3 * 3);
    nse::Search lenient = search("accept");
    EXPECT_FALSE(lenient.step());
    EXPECT_FALSE(lenient.front().empty());
}

TEST(Search, TheSameSeedGivesTheSameFront) {
    const auto run = [](int seed) {
        nse::Search search = support::search(2, 4, seed);
        for (int round = 0; round < 2; ++round) {
            search.step();
        }
        return support::text(search.front());
    };
    const std::string first = run(7);
    EXPECT_FALSE(first.empty());
    EXPECT_EQ(run(7), first);
    EXPECT_NE(run(8), first) << "the seed is not used";
}

} // namespace
