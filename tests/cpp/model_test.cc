// Models beyond one training: curves, checkpoints, exports to memory, loading, training on, paths of a supernet.
#include "support.hpp"

#include <string>

namespace {

const char *const options = R"({"seed": 2, "threads": 1, "calibration": 96,
    "train": {"epochs": 6, "batch": 16, "lr": 0.1, "ema": 0.9, "mixup": 0.1, "augment": {"pad": 0, "flip": false}}})";

nse::Arch arch() { return nse::Arch::uniform(support::space(), "mbconv_k3_t2"); }

TEST(Model, HasACurveAndSaysWhatItIs) {
    const nse::Dataset train = support::dataset(), held_out = support::dataset(30);
    const nse::Arch wanted = arch();
    int evaluations = 0;
    const nse::Model model = nse::Model::train(nse::Training(wanted, train).held_out(held_out), options, [&](const nse::Event &event) {
        evaluations += event.kind == NSE_EVENT_EVALUATE;
    });
    EXPECT_EQ(evaluations, 6);
    const std::string history = model.history();
    EXPECT_EQ(support::number(history, "epoch"), 1);
    EXPECT_TRUE(support::contains(history, R"("epoch":6,)")) << history;
    EXPECT_TRUE(support::contains(history, R"("held_out":{)")) << history;
    EXPECT_EQ(model.arch().to_json(), wanted.to_json());
    EXPECT_TRUE(support::contains(model.describe(), R"("normalisation":{"mean":[)")) << model.describe();
    EXPECT_TRUE(support::contains(nse::Model::export_schema(), R"("fold")"));
}

TEST(Model, ComesBackFromMemoryAndFiles) {
    const nse::Dataset train = support::dataset(), test = support::dataset(60);
    const nse::Model model = nse::Model::train(arch(), train, options);
    const support::Folder folder;
    const std::string path = folder.file("model.safetensors"), bytes = model.export_memory("safetensors");
    model.export_to("safetensors", path);
    EXPECT_EQ(support::content(path), bytes);
    for (const nse::Model &again : {nse::Model::load(path), nse::Model::load_memory(bytes)}) {
        EXPECT_EQ(again.evaluate(test).loss, model.evaluate(test).loss);
        EXPECT_EQ(again.export_memory("onnx"), model.export_memory("onnx"));
        EXPECT_EQ(again.history(), "[]");
    }
    EXPECT_NE(model.export_memory(R"({"format": "onnx", "fold": true})"), model.export_memory("onnx"));
    EXPECT_ERROR(NSE_ERR_CONFIG, (void)model.export_memory(R"({"format": "onnx", "folded": true})"));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)model.export_memory("onyx"));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Model::load_memory("nothing"));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Model::load_memory(bytes.substr(0, bytes.size() - 1)));
    EXPECT_ERROR(NSE_ERR_DEVICE, (void)nse::Model::load(path, "abacus"));
    EXPECT_ERROR(NSE_ERR_IO, (void)nse::Model::load(folder.file("none")));
    model.export_to("onnx", path);
    EXPECT_ERROR(NSE_ERR_FORMAT, (void)nse::Model::load(path));
}

TEST(Model, GoesOnWhereItWasCancelled) {
    const nse::Dataset train = support::dataset();
    const support::Folder folder;
    // So many steps that the training is still at work when the host says stop.
    std::string longer = options;
    longer.replace(longer.find("6, \"batch\""), 1, "60");
    std::string resuming = longer;
    resuming.insert(1, R"("checkpoint": {"path": ")" + folder.file("training") + R"(", "resume": true}, )");
    int steps = 0;
    EXPECT_ERROR(NSE_ERR_CANCELLED, (void)nse::Model::train(arch(), train, resuming, [&](const nse::Event &) { return ++steps > 12; }));
    steps = 0;
    const nse::Model model = nse::Model::train(arch(), train, resuming, [&](const nse::Event &) { ++steps; });
    EXPECT_LT(steps, 360 - 11) << "it began anew";
    EXPECT_EQ(model.export_memory("safetensors"), nse::Model::train(arch(), train, longer).export_memory("safetensors"));
}

TEST(Model, BeginsWithAnotherOrWithASupernet) {
    const nse::Dataset train = support::dataset();
    const char *const briefly = R"({"threads": 1, "train": {"epochs": 1, "batch": 16, "lr": 0.001, "augment": {"pad": 0, "flip": false}}})";
    const auto loss = [](const nse::Model &model) { return support::number(model.history(), "loss"); };
    const nse::Model first = nse::Model::train(arch(), train, options);
    const nse::Model tuned = nse::Model::train(nse::Training(train).init(first), briefly);
    EXPECT_LT(loss(tuned), loss(nse::Model::train(arch(), train, briefly)));
    EXPECT_EQ(tuned.arch().to_json(), first.arch().to_json());
    const nse::Arch other = nse::Arch::uniform(support::space(), "mbconv_k5_t1");
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Model::train(nse::Training(other, train).init(first), briefly));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Model::train(nse::Training(train).init(nse::Model()), briefly));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Model::train(nse::Training(train), briefly));

    nse::Search search = support::search(1);
    EXPECT_ERROR(NSE_ERR_NOT_FOUND, (void)nse::Model::from_search(search, arch()));
    search.step();
    const nse::Arch best = search.best().arch;
    const nse::Model path = nse::Model::from_search(search, best);
    EXPECT_EQ(path.arch().to_json(), best.to_json());
    EXPECT_GT(path.evaluate(train).accuracy, 0.0);
}

} // namespace
