// An architecture with trained weights.
#ifndef NSE_MODEL_HPP
#define NSE_MODEL_HPP

#include <nse/arch.hpp>
#include <nse/dataset.hpp>
#include <nse/event.hpp>
#include <nse/op.hpp>

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

/// A trained stand-alone network.
class Model : public detail::Handle<nse_model, nse_model_free> {
  public:
    Model() noexcept = default;
    /// Takes over a C handle.
    explicit Model(nse_model *owned) noexcept : Handle(owned) {}

    /// Trains an architecture from fresh weights. `options`: see `options_schema`. NSE_ERR_CONFIG. NSE_ERR_INVALID_ARGUMENT: the
    /// images do not fit the space. NSE_ERR_CANCELLED. NSE_ERR_DIVERGED. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_UNSUPPORTED.
    template <class F = detail::Silent>
    [[nodiscard]] static Model train(const Arch &arch, const Dataset &train, std::string_view options = "{}",
                                     F &&on_event = {}) {
        const detail::Text json("desc.options_json", options);
        nse_model_desc desc = NSE_MODEL_DESC_INIT;
        desc.arch = arch.get();
        desc.train = train.get();
        desc.options_json = json.c_str();
        Model model;
        detail::with_events(std::forward<F>(on_event), [&](const nse_events *events) {
            desc.events = events;
            detail::call(nse_model_train, static_cast<const nse_model_desc *>(&desc), model.out());
        });
        return model;
    }
    /// Begins a training as `train` does, and returns at once; events come when the operation is polled, and the model is taken
    /// when `poll` has returned NSE_OK.
    template <class F = detail::Silent>
    [[nodiscard]] static Operation train_async(const Arch &arch, const Dataset &train, std::string_view options = "{}",
                                               F &&on_event = {}) {
        const detail::Text json("desc.options_json", options);
        nse_model_desc desc = NSE_MODEL_DESC_INIT;
        desc.arch = arch.get();
        desc.train = train.get();
        desc.options_json = json.c_str();
        Operation operation;
        detail::with_events(std::forward<F>(on_event), [&](const nse_events *events) {
            desc.events = events;
            detail::call(nse_model_train_async, static_cast<const nse_model_desc *>(&desc), operation.out());
        });
        return operation;
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
    /// Writes a file, whole or not at all; an existing one is replaced. `format`: "torchscript"; see nse_model_export.
    /// NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_IO. NSE_ERR_BUSY. NSE_ERR_TORCH.
    void export_to(std::string_view format, std::string_view path) const {
        detail::call(nse_model_export, get(), detail::Text("format", format).c_str(), detail::Text("path", path).c_str());
    }
};

} // namespace v1
} // namespace nse

#endif
