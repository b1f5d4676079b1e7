// Every status that can be had without training, as an exception with its text and its facts.

#include "support.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <limits>

using support::contains;

namespace {

TEST(Error, HasCodeNameTextAndDetail) {
    ASSERT_ERROR(error, NSE_ERR_INVALID_ARGUMENT, (void)nse::Space::preset("nse-99"));
    EXPECT_STREQ(error->name(), "NSE_ERR_INVALID_ARGUMENT");
    EXPECT_TRUE(contains(error->what(), "\"nse-99\" is not a preset")) << error->what();
    EXPECT_EQ(error->detail(), R"({"argument":"name"})");
    EXPECT_THROW((void)nse::Space::preset("nse-99"), std::runtime_error);
}

TEST(Error, JsonThatDoesNotParse) {
    ASSERT_ERROR(error, NSE_ERR_CONFIG, (void)nse::Space::from_json("{\"name\": "));
    EXPECT_TRUE(contains(error->detail(), R"("document":"space")")) << error->detail();
    EXPECT_TRUE(contains(error->what(), "line 1 column")) << error->what();
}

TEST(Error, AnUnknownKeyIsPointedAt) {
    ASSERT_ERROR(overrides, NSE_ERR_CONFIG, (void)nse::Space::preset("nse-27-small", R"({"input": {"depth": 3}})"));
    EXPECT_TRUE(contains(overrides->detail(), R"("pointer":"/input/depth")")) << overrides->detail();
    ASSERT_ERROR(options, NSE_ERR_CONFIG,
                 nse::Search(support::space(), support::dataset(),
                             R"({"objective": {"low": 1, "high": 2}, "train": {"epoch": 3}})"));
    EXPECT_TRUE(contains(options->detail(), R"("document":"search options")")) << options->detail();
    EXPECT_TRUE(contains(options->detail(), R"("pointer":"/train/epoch")")) << options->detail();
}

TEST(Error, AValueOutOfRangeIsPointedAt) {
    const nse::Arch arch = nse::Arch::uniform(support::space(), "mbconv_k3_t1");
    ASSERT_ERROR(model, NSE_ERR_CONFIG, (void)nse::Model::train(arch, support::dataset(), R"({"train": {"momentum": 2}})"));
    EXPECT_TRUE(contains(model->detail(), R"("pointer":"/train/momentum")")) << model->detail();
    ASSERT_ERROR(cell, NSE_ERR_CONFIG,
                 (void)nse::Arch::from_json(support::space(), R"({"cells": [[], ["mbconv_k3_t1"], ["mbconv_k9_t1"]]})"));
    EXPECT_TRUE(contains(cell->detail(), R"("pointer":"/cells/2/0")")) << cell->detail();
    EXPECT_ERROR(NSE_ERR_CONFIG, (void)nse::Arch::uniform(support::space(), "conv_k3_t1")); // not in the first cell
}

TEST(Error, AMissingFileIsNamed) {
    ASSERT_ERROR(error, NSE_ERR_IO,
                 (void)nse::Dataset::open(R"({"format": "idx", "images": "no/such/file", "labels": "no/such/file"})"));
    EXPECT_TRUE(contains(error->detail(), R"("path":"no/such/file")")) << error->detail();
}

TEST(Error, AFileOfAnotherFormatIsNamed) {
    const support::Folder folder;
    const std::string path = folder.file("images", "this is not an IDX file");
    ASSERT_ERROR(error, NSE_ERR_FORMAT,
                 (void)nse::Dataset::open(R"({"format": "idx", "images": ")" + path + R"(", "labels": ")" + path + R"("})"));
    EXPECT_TRUE(contains(error->detail(), path)) << error->detail();
}

TEST(Error, AWindowOutOfReachSaysWhatIsReachable) {
    ASSERT_ERROR(error, NSE_ERR_UNREACHABLE,
                 nse::Search(support::space(), support::dataset(), R"({"active": 3, "objective": {"low": 1, "high": 2}})"));
    EXPECT_EQ(support::number(error->detail(), "high"), 2);
    EXPECT_GT(support::number(error->detail(), "least"), 2);
    EXPECT_GT(support::number(error->detail(), "greatest"), support::number(error->detail(), "least"));
}

TEST(Error, NothingFoundBeforeTheFirstRound) {
    const nse::Search search = support::search();
    EXPECT_ERROR(NSE_ERR_NOT_FOUND, (void)search.best());
    EXPECT_NE(search.report("svg").find("no round is complete yet"), std::string::npos);
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)search.report("bmp"));
}

TEST(Error, NoSuchDevice) {
    std::string options = support::search_options();
    options.replace(options.find('{'), 1, R"({"device": "abacus", )");
    ASSERT_ERROR(error, NSE_ERR_DEVICE, nse::Search(support::space(), support::dataset(), options));
    EXPECT_EQ(error->detail(), R"({"device":"abacus"})");
}

TEST(Error, ImagesThatDoNotFitTheSpace) {
    const nse::Space wider = nse::Space::preset("nse-27-small", "{}");
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT,
                 nse::Search(wider, support::dataset(), R"({"objective": {"low": 1, "high": 100000000}})"));
    const nse::Arch arch = nse::Arch::uniform(wider, "mbconv_k3_t1");
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Model::train(arch, support::dataset()));
}

TEST(Error, HeldOutImagesThatDoNotFitTheSpace) {
    const nse::Dataset dot = nse::Dataset::from_memory({1, 1, 1}, {0, 1}, {0, 1});
    ASSERT_ERROR(error, NSE_ERR_INVALID_ARGUMENT, nse::Search(support::space(), support::dataset(), dot, support::search_options()));
    EXPECT_EQ(error->detail(), R"({"argument":"held_out"})");
}

TEST(Error, PixelsAndLabelsThatDoNotMatch) {
    const support::Images good = support::images(6);
    const auto make = [&](nse::Shape shape, std::size_t bytes, std::uint32_t classes) {
        std::vector<std::uint8_t> pixels = good.pixels;
        pixels.resize(bytes);
        return nse::Dataset::from_memory(shape, pixels, good.labels, classes);
    };
    const std::size_t right = good.pixels.size();
    EXPECT_EQ(support::number(make({1, 12, 12}, right, 0).info(), "classes"), 3);
    EXPECT_EQ(support::number(make({2, 6, 12}, right, 5).info(), "channels"), 2);
    for (const std::size_t wrong : {right - 1, right + 1, right + 144, std::size_t{0}}) {
        EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)make({1, 12, 12}, wrong, 0));
    }
    ASSERT_ERROR(size, NSE_ERR_INVALID_ARGUMENT, (void)make({1, 12, 13}, right, 0));
    EXPECT_TRUE(contains(size->what(), "864 bytes for 6 images of 1x12x13")) << size->what();
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)make({0, 12, 12}, right, 0));
    const std::uint32_t huge = std::numeric_limits<std::uint32_t>::max();
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)make({huge, huge, huge}, right, 0));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)make({1, 12, 12}, right, 2)); // label 2
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Dataset::from_memory({1, 12, 12}, {}, {}));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Dataset::from_memory(nse_images NSE_IMAGES_INIT));
}

TEST(Error, AFractionThatLeavesNothing) {
    const nse::Dataset dataset = support::dataset(6);
    for (const double fraction : {0.0, 1.0, -0.5, std::numeric_limits<double>::quiet_NaN()}) {
        EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)dataset.split(fraction));
    }
}

TEST(Text, ANulInsideIsRefusedAndNotCutOff) {
    using namespace std::string_view_literals;
    ASSERT_ERROR(error, NSE_ERR_INVALID_ARGUMENT, (void)nse::Space::preset("nse-27-small\0and more"sv));
    EXPECT_EQ(error->detail(), R"({"argument":"name"})");
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Space::preset("nse-27-small", "{}\0"sv));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, nse::Search(support::space(), support::dataset(), "{}\0"sv));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Space::preset("\xff"));
}

TEST(Text, AViewNeedNotEndInNul) {
    const std::string long_name = "nse-27-smaller";
    const nse::Space space = nse::Space::preset(std::string_view(long_name).substr(0, 12), std::string("{}"));
    EXPECT_TRUE(contains(space.describe(), R"("name":"nse-27-small")")) << space.describe();
}

TEST(Fork, AChildGetsAnErrorWithoutAnObject) {
    const nse::Space space = support::space();
    const pid_t child = fork();
    if (child == 0) {
        const auto error = support::error_of([&] { (void)space.to_json(); });
        _exit(error && error->code() == NSE_ERR_FORKED && std::string(error->what()) == "NSE_ERR_FORKED" && error->detail() == "{}"
                  ? 0
                  : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

} // namespace
