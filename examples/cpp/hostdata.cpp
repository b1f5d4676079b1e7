// Hostdata: a LibTorch trainer that has everything of its own (images, augmentation, DataLoader, network, optimizer, schedule), and a
// search in its loop. Every batch that trains the trainer's network also goes to the search, which asks for what it wants next. When
// it is over, the trainer takes the best network that was found, and fine-tunes it with its own optimizer.
//
//     hostdata DATA OUT
//
// DATA is a folder with the IDX files of Fashion-MNIST, of which the first images for training are read with gzip; OUT a folder for
// the models. One libtorch serves both. examples/c/hostdata.c is such a trainer without LibTorch.
#include <nse/nse.hpp>
#include <nse/torch.hpp>

#include <torch/script.h>
#include <torch/torch.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr std::int64_t training = 2000, held_out = 500, side = 28, batch_size = 32, epochs = 2;
constexpr double budget = 350000;
constexpr auto space_overrides = R"({"channels": [8, 16, 32], "stem_stride": 2, "tail": 64})";
constexpr auto search_options = R"({
    "seed": 1, "rounds": 1, "active": 4, "objective": {"low": 150000, "high": 350000},
    "train": {"epochs": 2}, "fitness": {"interval": 4},
    "candidates": {"count": 12, "extras": 4}, "score": {"calibration": 256}
})";

torch::Tensor read_idx(const std::string &folder, const std::string &name, std::size_t header, std::int64_t bytes) {
    std::FILE *const file = popen(("gzip -dc '" + folder + "/train-" + name + "-ubyte.gz'").c_str(), "r");
    std::array<char, 16> skipped{};
    torch::Tensor values = torch::empty({bytes}, torch::kByte);
    const bool whole = file != nullptr && std::fread(skipped.data(), 1, header, file) == header &&
                       std::fread(values.data_ptr(), 1, static_cast<std::size_t>(bytes), file) == static_cast<std::size_t>(bytes);
    if (file != nullptr) {
        pclose(file);
    }
    if (!whole) {
        throw std::runtime_error(folder + ": no " + name);
    }
    return values;
}

// A part of the images, as the trainer's loader wants it: normalised, and moved and mirrored at random where it is augmented.
class Images : public torch::data::datasets::Dataset<Images> {
  public:
    Images(torch::Tensor pixels, torch::Tensor labels, bool augmented)
        : pixels_(std::move(pixels)), labels_(std::move(labels)), augmented_(augmented) {}

    torch::data::Example<> get(std::size_t index) override {
        const auto at = static_cast<std::int64_t>(index);
        torch::Tensor image = (pixels_[at].to(torch::kFloat) - 72.9f) / 90.0f;
        if (augmented_) {
            const torch::Tensor moved = torch::randint(-2, 3, {2}, torch::kLong);
            image = image.roll({moved[0].item<std::int64_t>(), moved[1].item<std::int64_t>()}, {1, 2});
            if (torch::rand({1}).item<float>() < 0.5f) {
                image = image.flip(2);
            }
        }
        return {image, labels_[at]};
    }
    [[nodiscard]] std::optional<std::size_t> size() const override { return static_cast<std::size_t>(labels_.size(0)); }

  private:
    torch::Tensor pixels_, labels_;
    bool augmented_;
};

// A DataLoader, read one batch at a time; the end of an epoch is told by an empty batch, or skipped where there is no end.
template <class Sampler> class Stream {
  public:
    Stream(Images images, bool endless)
        : loader_(torch::data::make_data_loader<Sampler>(std::move(images).map(torch::data::transforms::Stack<>()), batch_size)), endless_(endless) {}

    std::optional<torch::data::Example<>> next() {
        if (!at_) {
            at_ = loader_->begin();
        }
        if (*at_ == loader_->end()) {
            at_.reset();
            return endless_ ? next() : std::nullopt;
        }
        torch::data::Example<> batch = **at_;
        ++*at_;
        return batch;
    }

  private:
    using Loader = decltype(torch::data::make_data_loader<Sampler>(std::declval<Images>().map(torch::data::transforms::Stack<>()), 1));
    Loader loader_;
    bool endless_;
    std::optional<torch::data::Iterator<torch::data::Example<>>> at_;
};
using Shuffled = Stream<torch::data::samplers::RandomSampler>;
using InOrder = Stream<torch::data::samplers::SequentialSampler>;

// The network of the trainer, made by hand.
torch::nn::Sequential own_network() {
    using namespace torch::nn;
    return Sequential(Conv2d(Conv2dOptions(1, 16, 3).stride(2).padding(1)), BatchNorm2d(16), ReLU(),
                      Conv2d(Conv2dOptions(16, 32, 3).stride(2).padding(1)), BatchNorm2d(32), ReLU(), AdaptiveAvgPool2d(1),
                      Flatten(), Linear(32, 10));
}

// Mean loss and accuracy of any network on held-out images.
template <class Forward> std::pair<double, double> evaluate(Forward forward, const Images &images) {
    const torch::NoGradGuard no_grad;
    InOrder batches(images, false);
    double loss = 0, right = 0;
    while (const auto batch = batches.next()) {
        const torch::Tensor logits = forward(batch->data);
        loss += torch::cross_entropy_loss(logits, batch->target, {}, at::Reduction::Sum).item<double>();
        right += logits.argmax(1).eq(batch->target).sum().item<double>();
    }
    const auto count = static_cast<double>(*images.size());
    return {loss / count, right / count};
}

// The search rides along with the training of the trainer's own network.
nse::Search train_and_search(torch::nn::Sequential &own, const Images &train, const Images &plain, const Images &test) {
    nse::Search search = nse::Search::pushed(nse::Space::preset("nse-27-small", space_overrides), search_options);
    torch::optim::SGD optimizer(own->parameters(), torch::optim::SGDOptions(0.05).momentum(0.9));
    Shuffled weight(train, false), calibrate(plain, true), architecture(test, true);
    InOrder evaluation(test, false);
    const double steps = epochs * std::ceil(static_cast<double>(training) / batch_size);

    for (nse::Pushed now = search.next(); now.next != nse::Phase::done;) {
        std::optional<torch::data::Example<>> batch;
        double lr = 0;
        switch (now.next) {
        case nse::Phase::weight:
            if ((batch = weight.next())) {
                lr = 0.05 * (1 + std::cos(3.141592653589793 * static_cast<double>(now.step) / steps));
                optimizer.zero_grad();
                torch::cross_entropy_loss(own->forward(batch->data), batch->target).backward();
                optimizer.step();
            }
            break;
        case nse::Phase::architecture: batch = architecture.next(); break;
        case nse::Phase::calibrate: batch = calibrate.next(); break;
        default: batch = evaluation.next();
        }
        now = batch ? nse::push_tensors(search, now.next, batch->data, batch->target, lr) : search.end();
        if (lr > 0 && now.step % 30 == 0) {
            std::printf("step %d: loss %.3f in the supernet\n", static_cast<int>(now.step), now.loss);
        }
    }
    return search;
}

void run(const std::string &folder, const std::string &out) {
    torch::manual_seed(1);
    const std::int64_t count = training + held_out;
    const torch::Tensor pixels = read_idx(folder, "images-idx3", 16, count * side * side).view({count, 1, side, side});
    const torch::Tensor labels = read_idx(folder, "labels-idx1", 8, count).to(torch::kLong);
    const auto part = [&](std::int64_t first, std::int64_t size, bool augmented) {
        return Images(pixels.narrow(0, first, size), labels.narrow(0, first, size), augmented);
    };
    const Images train = part(0, training, true), plain = part(0, training, false), test = part(training, held_out, false);

    torch::nn::Sequential own = own_network();
    const nse::Search search = train_and_search(own, train, plain, test);
    own->eval();
    std::printf("own network: accuracy %.4f\n", evaluate([&](const torch::Tensor &x) { return own->forward(x); }, test).second);

    // nse gives the best network its first weights, from the trainer's pixels where they are; from there on it is the trainer's.
    const nse::Arch best = search.best(budget).arch;
    const nse::Dataset images = nse::dataset_from_tensors(pixels.narrow(0, 0, training), labels.narrow(0, 0, training), 10, NSE_BORROW);
    const nse::Model model = nse::Model::train(best, images, R"({"train": {"epochs": 0.5, "batch": 32, "lr": 0.1}, "calibration": 1024})");
    model.export_to("torchscript", out + "/found.pt");
    std::printf("found: %s\n", best.to_json().c_str());

    torch::jit::Module found = torch::jit::load(out + "/found.pt");
    const auto forward = [&](const torch::Tensor &x) { return found.forward({x}).toTensor(); };
    found.eval();
    const auto before = evaluate(forward, test);
    std::vector<torch::Tensor> weights;
    for (const torch::Tensor &weight : found.parameters()) {
        weights.push_back(weight.requires_grad_());
    }
    torch::optim::SGD optimizer(weights, torch::optim::SGDOptions(0.02).momentum(0.9));
    for (int epoch = 0; epoch < 3; ++epoch) {
        Shuffled batches(train, false);
        found.train();
        while (const auto batch = batches.next()) {
            optimizer.zero_grad();
            torch::cross_entropy_loss(forward(batch->data), batch->target).backward();
            optimizer.step();
        }
    }
    found.eval();
    const auto after = evaluate(forward, test);
    std::printf("fine-tuned: loss %.4f before, %.4f after; accuracy %.4f before, after: %.4f\n", before.first, after.first,
                before.second, after.second);
    found.save(out + "/tuned.pt");
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: hostdata DATA OUT\n");
        return 2;
    }
    try {
        run(argv[1], argv[2]);
    } catch (const nse::Error &error) {
        std::fprintf(stderr, "%s: %s\n", error.name(), error.what());
        return 1;
    } catch (const std::exception &error) { // LibTorch's, or this program's own
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
