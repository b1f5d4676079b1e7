// An architecture with trained weights.
#ifndef NSE_MODEL_HPP
#define NSE_MODEL_HPP

#include <nse/arch.hpp>
#include <nse/dataset.hpp>
#include <nse/event.hpp>
#include <nse/op.hpp>
#include <nse/search.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace nse {
inline namespace v1 {

struct Evaluation {
    /// Mean cross-entropy.
    double loss = 0;
    /// Top-1, 0 to 1.
    double accuracy = 0;
};

class Model;

/// What a training is of; what is pointed at must live until the call returns.
struct Training {
    /// May be left out with `init`.
    const Arch *arch = nullptr;
    const Dataset *train = nullptr;
    /// Images that are only evaluated, for the curve; may be left out.
    const Dataset *held_out = nullptr;
    /// A model of the same architecture to begin with; may be left out.
    const Model *init = nullptr;
};

/// A trained stand-alone network.
class Model : public detail::Handle<nse_model, nse_model_free> {
  public:
    Model() noexcept = default;
    /// Takes over a C handle.
    explicit Model(nse_model *owned) noexcept : Handle(owned) {}

    /// Trains an architecture. `options`: see `options_schema`; with checkpoint.path and checkpoint.resume it goes on where it was
    /// stopped. NSE_ERR_CONFIG. NSE_ERR_INVALID_ARGUMENT: images or `init` do not fit. NSE_ERR_CANCELLED. NSE_ERR_DIVERGED.
    /// NSE_ERR_IO and NSE_ERR_FORMAT: the checkpoint. NSE_ERR_BUSY: `init`. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_UNSUPPORTED.
    template <class F = detail::Silent>
    [[nodiscard]] static Model train(const Training &training, std::string_view options = "{}", F &&on_event = {}) {
        const detail::Text json("desc.options_json", options);
        nse_model_desc desc = desc_of(training, json);
        Model model;
        detail::with_events(std::forward<F>(on_event), [&](const nse_events *events) {
            desc.events = events;
            detail::call(nse_model_train, static_cast<const nse_model_desc *>(&desc), model.out());
        });
        return model;
    }
    /// The same from fresh weights, without held-out images.
    template <class F = detail::Silent>
    [[nodiscard]] static Model train(const Arch &arch, const Dataset &train, std::string_view options = "{}",
                                     F &&on_event = {}) {
        return Model::train(Training{&arch, &train}, options, std::forward<F>(on_event));
    }
    /// Begins a training as `train` does, and returns at once; events come when the operation is polled, and the model is taken
    /// when `poll` has returned NSE_OK.
    template <class F = detail::Silent>
    [[nodiscard]] static Operation train_async(const Training &training, std::string_view options = "{}", F &&on_event = {}) {
        const detail::Text json("desc.options_json", options);
        nse_model_desc desc = desc_of(training, json);
        Operation operation;
        detail::with_events(std::forward<F>(on_event), [&](const nse_events *events) {
            desc.events = events;
            detail::call(nse_model_train_async, static_cast<const nse_model_desc *>(&desc), operation.out());
        });
        return operation;
    }
    /// The same from fresh weights, without held-out images.
    template <class F = detail::Silent>
    [[nodiscard]] static Operation train_async(const Arch &arch, const Dataset &train, std::string_view options = "{}",
                                               F &&on_event = {}) {
        return Model::train_async(Training{&arch, &train}, options, std::forward<F>(on_event));
    }
    /// The model that `train_async` made; the operation has it no more. NSE_ERR_NOT_FOUND.
    [[nodiscard]] static Model take(const Operation &operation) {
        return detail::make<Model>(nse_op_take_model, static_cast<const nse_op *>(operation.get()));
    }

    /// The options, as a JSON schema with keys, defaults, ranges and help.
    [[nodiscard]] static std::string options_schema() { return detail::read(nse_model_options_schema); }

    /// Loss and accuracy on a dataset. NSE_ERR_INVALID_ARGUMENT: the images do not fit. NSE_ERR_BUSY. NSE_ERR_TORCH.
    [[nodiscard]] Evaluation evaluate(const Dataset &dataset) const {
        Evaluation evaluation;
        detail::call(nse_model_evaluate, get(), dataset.get(), &evaluation.loss, &evaluation.accuracy);
        return evaluation;
    }
    /// A JSON list with an object for every epoch of the training; see nse_model_history. NSE_ERR_BUSY.
    [[nodiscard]] std::string history() const { return detail::read(nse_model_history, get()); }
    /// Architecture and space. NSE_ERR_BUSY.
    [[nodiscard]] Arch arch() const { return detail::make<Arch>(nse_model_arch, get()); }
    /// What it is, and what becomes of an image in front of it, as JSON; see nse_model_describe. NSE_ERR_BUSY.
    [[nodiscard]] std::string describe() const { return detail::read(nse_model_describe, get()); }

    /// Writes a file, whole or not at all; an existing one is replaced. `format`: "torchscript", "onnx", "safetensors", or a JSON
    /// object with more to say; see nse_model_export. NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_CONFIG. NSE_ERR_IO.
    /// NSE_ERR_BUSY. NSE_ERR_TORCH.
    void export_to(std::string_view format, std::string_view path) const {
        detail::call(nse_model_export, get(), detail::Text("format", format).c_str(), detail::Text("path", path).c_str());
    }
    /// The bytes of such a file. NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_CONFIG. NSE_ERR_BUSY. NSE_ERR_TORCH.
    [[nodiscard]] std::string export_memory(std::string_view format) const {
        return detail::read(nse_model_export_memory, get(), detail::Text("format", format).c_str());
    }
    /// The JSON form of a format, as a JSON schema.
    [[nodiscard]] static std::string export_schema() { return detail::read(nse_model_export_schema); }

    /// Reads what `export_to` wrote as "safetensors". `device`: "cpu", "cuda" or "cuda:N". NSE_ERR_IO. NSE_ERR_FORMAT: not such a
    /// file, or damaged. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_UNSUPPORTED.
    [[nodiscard]] static Model load(std::string_view path, std::string_view device = "cpu") {
        return detail::make<Model>(nse_model_load, detail::Text("path", path).c_str(), detail::Text("device", device).c_str());
    }
    /// The same from the bytes of such a file. NSE_ERR_INVALID_ARGUMENT: not such bytes, or damaged. NSE_ERR_DEVICE. NSE_ERR_TORCH.
    [[nodiscard]] static Model load_memory(std::string_view data, std::string_view device = "cpu") {
        return detail::make<Model>(nse_model_load_memory, reinterpret_cast<const std::uint8_t *>(data.data()), data.size(),
                                   detail::Text("device", device).c_str());
    }
    /// The network of an architecture with the weights that it has in the supernet of a search. NSE_ERR_INVALID_ARGUMENT: the search
    /// is pushed or told, or has another space. NSE_ERR_NOT_FOUND: no weights of some operator. NSE_ERR_BUSY. NSE_ERR_TORCH.
    [[nodiscard]] static Model from_search(const Search &search, const Arch &arch) {
        return detail::make<Model>(nse_model_from_search, static_cast<const nse_search *>(search.get()),
                                   static_cast<const nse_arch *>(arch.get()));
    }

  private:
    static nse_model_desc desc_of(const Training &training, const detail::Text &options) {
        nse_model_desc desc = NSE_MODEL_DESC_INIT;
        desc.arch = training.arch == nullptr ? nullptr : detail::given("training.arch", *training.arch);
        desc.train = training.train == nullptr ? nullptr : training.train->get();
        desc.held_out = training.held_out == nullptr ? nullptr : detail::given("training.held_out", *training.held_out);
        desc.init = training.init == nullptr ? nullptr : detail::given("training.init", *training.init);
        desc.options_json = options.c_str();
        return desc;
    }
};

} // namespace v1
} // namespace nse

#endif
