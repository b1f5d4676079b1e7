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
inline namespace NSE_INLINE_NAMESPACE {

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
    [[nodiscard]] static Outcome<Model> train(const Arch &arch, const Dataset &train, std::string_view options = "{}",
                                              F &&on_event = {}) {
        return begun<Model>(nse_model_train, arch, train, options, std::forward<F>(on_event));
    }
    /// Begins a training as `train` does, and returns at once; events come when the operation is polled, and the model is taken
    /// when `poll` has returned NSE_OK.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Operation> train_async(const Arch &arch, const Dataset &train, std::string_view options = "{}",
                                                        F &&on_event = {}) {
        return begun<Operation>(nse_model_train_async, arch, train, options, std::forward<F>(on_event));
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
    /// Writes a file, whole or not at all; an existing one is replaced. `format`: "torchscript"; see nse_model_export.
    /// NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_IO. NSE_ERR_BUSY. NSE_ERR_TORCH.
    Outcome<void> export_to(std::string_view format, std::string_view path) const {
        return detail::perform(nse_model_export, get(), detail::Text("format", format), detail::Text("path", path));
    }

  private:
    template <class Noun, class F, class Function>
    [[nodiscard]] static Outcome<Noun> begun(Function function, const Arch &arch, const Dataset &train,
                                             std::string_view options, F &&on_event) {
        nse_model_desc desc = NSE_MODEL_DESC_INIT;
        desc.arch = arch.get();
        desc.train = train.get();
        return detail::make_described<Noun>(desc, detail::Text("desc.options_json", options), std::forward<F>(on_event),
                                            function);
    }
};

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
