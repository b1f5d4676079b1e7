// An architecture with trained weights.
#ifndef NSE_MODEL_HPP
#define NSE_MODEL_HPP

#include <nse/arch.hpp>
#include <nse/dataset.hpp>
#include <nse/event.hpp>
#include <nse/op.hpp>
#include <nse/search.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

struct Evaluation {
    /// Mean cross-entropy.
    double loss = 0;
    /// Top-1, 0 to 1.
    double accuracy = 0;
};

class Model;

/// What a training is of. It only points at what it is given. An empty object is not taken for none: the model is not made then.
/// NSE_ERR_INVALID_HANDLE.
class Training {
  public:
    /// With the architecture of `init`, which must then be given.
    explicit Training(const Dataset &train) { desc_.train = train.get(); }
    Training(const Arch &arch, const Dataset &train) {
        desc_.arch = arch.get();
        desc_.train = train.get();
    }

    /// Images that are only evaluated, for the curve.
    Training &held_out(const Dataset &images) { return set(desc_.held_out, "desc.held_out", images); }
    /// A model of the same architecture to begin with, which may have had other classes.
    Training &init(const Model &model);

    /// The C struct, in which options and events are still to be set.
    [[nodiscard]] const nse_model_desc &desc() const noexcept { return desc_; }
    /// The first empty object that was given.
    [[nodiscard]] const std::optional<Error> &fault() const noexcept { return fault_; }

  private:
    template <class Raw, class Noun> Training &set(Raw *&place, const char *argument, const Noun &noun) {
        const detail::Given given(argument, noun);
        place = given.raw();
        if (!fault_) {
            fault_ = given.fault();
        }
        return *this;
    }

    nse_model_desc desc_ = NSE_MODEL_DESC_INIT;
    std::optional<Error> fault_;
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
    [[nodiscard]] static Outcome<Model> train(const Training &training, std::string_view options = "{}", F &&on_event = {}) {
        return begun<Model>(nse_model_train, training, options, std::forward<F>(on_event));
    }
    /// The same from fresh weights, without held-out images.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Model> train(const Arch &arch, const Dataset &train, std::string_view options = "{}",
                                              F &&on_event = {}) {
        return begun<Model>(nse_model_train, Training(arch, train), options, std::forward<F>(on_event));
    }
    /// Begins a training as `train` does, and returns at once; events come when the operation is polled, and the model is taken
    /// when `poll` has returned NSE_OK.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Operation> train_async(const Training &training, std::string_view options = "{}",
                                                        F &&on_event = {}) {
        return begun<Operation>(nse_model_train_async, training, options, std::forward<F>(on_event));
    }
    /// The same from fresh weights, without held-out images.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Operation> train_async(const Arch &arch, const Dataset &train, std::string_view options = "{}",
                                                        F &&on_event = {}) {
        return begun<Operation>(nse_model_train_async, Training(arch, train), options, std::forward<F>(on_event));
    }
    /// The model that `train_async` made; the operation has it no more. NSE_ERR_NOT_FOUND.
    [[nodiscard]] static Outcome<Model> take(const Operation &operation) {
        return detail::make<Model>(nse_op_take_model, static_cast<const nse_op *>(operation.get()));
    }

    /// The options, as a JSON schema with keys, defaults, ranges and help.
    [[nodiscard]] static Outcome<std::string> options_schema() { return detail::read(nse_model_options_schema); }

    /// Loss and accuracy on a dataset. NSE_ERR_INVALID_ARGUMENT: the images do not fit. NSE_ERR_BUSY. NSE_ERR_TORCH.
    [[nodiscard]] Outcome<Evaluation> evaluate(const Dataset &dataset) const {
        Evaluation found;
        const Result<nse_status> called = detail::call(nse_model_evaluate, get(), dataset.get(), &found.loss, &found.accuracy);
        return detail::settle(detail::then(called, found));
    }
    /// A JSON list with an object for every epoch of the training; see nse_model_history. NSE_ERR_BUSY.
    [[nodiscard]] Outcome<std::string> history() const { return detail::read(nse_model_history, get()); }
    /// Architecture and space. NSE_ERR_BUSY.
    [[nodiscard]] Outcome<Arch> arch() const { return detail::make<Arch>(nse_model_arch, get()); }
    /// What it is, and what becomes of an image in front of it, as JSON; see nse_model_describe. NSE_ERR_BUSY.
    [[nodiscard]] Outcome<std::string> describe() const { return detail::read(nse_model_describe, get()); }

    /// Writes a file, whole or not at all; an existing one is replaced. `format`: "torchscript", "onnx", "safetensors", or a JSON
    /// object with more to say; see nse_model_export. NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_CONFIG. NSE_ERR_IO.
    /// NSE_ERR_BUSY. NSE_ERR_TORCH.
    Outcome<void> export_to(std::string_view format, std::string_view path) const {
        return detail::perform(nse_model_export, get(), detail::Text("format", format), detail::Text("path", path));
    }
    /// The bytes of such a file. NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_CONFIG. NSE_ERR_BUSY. NSE_ERR_TORCH.
    [[nodiscard]] Outcome<std::string> export_memory(std::string_view format) const {
        return detail::read(nse_model_export_memory, get(), detail::Text("format", format));
    }
    /// The JSON form of a format, as a JSON schema.
    [[nodiscard]] static Outcome<std::string> export_schema() { return detail::read(nse_model_export_schema); }

    /// Reads what `export_to` wrote as "safetensors". `device`: "cpu", "cuda" or "cuda:N". NSE_ERR_IO. NSE_ERR_FORMAT: not such a
    /// file, or damaged. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_UNSUPPORTED.
    [[nodiscard]] static Outcome<Model> load(std::string_view path, std::string_view device = "cpu") {
        return detail::make<Model>(nse_model_load, detail::Text("path", path), detail::Text("device", device));
    }
    /// The same from the bytes of such a file. NSE_ERR_INVALID_ARGUMENT: not such bytes, or damaged. NSE_ERR_DEVICE. NSE_ERR_TORCH.
    [[nodiscard]] static Outcome<Model> load_memory(std::string_view data, std::string_view device = "cpu") {
        return detail::make<Model>(nse_model_load_memory, reinterpret_cast<const std::uint8_t *>(data.data()), data.size(),
                                   detail::Text("device", device));
    }
    /// The network of an architecture with the weights that it has in the supernet of a search. NSE_ERR_INVALID_ARGUMENT: the search
    /// is pushed or told, or has another space. NSE_ERR_NOT_FOUND: no weights of some operator. NSE_ERR_BUSY. NSE_ERR_TORCH.
    [[nodiscard]] static Outcome<Model> from_search(const Search &search, const Arch &arch) {
        return detail::make<Model>(nse_model_from_search, static_cast<const nse_search *>(search.get()),
                                   static_cast<const nse_arch *>(arch.get()));
    }

  private:
    template <class Noun, class F, class Function>
    [[nodiscard]] static Outcome<Noun> begun(Function function, const Training &training, std::string_view options,
                                             F &&on_event);
};

inline Training &Training::init(const Model &model) { return set(desc_.init, "desc.init", model); }

template <class Noun, class F, class Function>
Outcome<Noun> Model::begun(Function function, const Training &training, std::string_view options, F &&on_event) {
    if (std::optional<Error> found = training.fault()) {
        return detail::settle(Result<Noun>(*std::move(found)));
    }
    return detail::make_described<Noun>(training.desc(), detail::Text("desc.options_json", options), std::forward<F>(on_event),
                                        function);
}

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
