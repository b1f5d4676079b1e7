// One image restored without training data, and the search for the network that does it best.
#ifndef NSE_RESTORATION_HPP
#define NSE_RESTORATION_HPP

#include <nse/event.hpp>
#include <nse/op.hpp>
#include <nse/picture.hpp>
#include <nse/told.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

/// What is to be restored. It points at the pictures, which must outlive it.
class Damage {
  public:
    explicit Damage(const Picture &picture) { set(picture_, desc_.picture, "desc.picture", picture); }

    /// To inpaint: one channel, 1 for a known pixel and 0 for a missing one.
    Damage &mask(const Picture &mask) { return set(mask_, desc_.mask, "desc.mask", mask); }
    /// How the restored image should be, if that is known.
    Damage &reference(const Picture &reference) { return set(reference_, desc_.reference, "desc.reference", reference); }

    Damage(const Damage &) = delete;
    Damage &operator=(const Damage &) = delete;

    /// The C struct, in which options and events are still to be set.
    [[nodiscard]] const nse_restoration_desc &desc() const noexcept { return desc_; }
    /// The first picture that is none.
    [[nodiscard]] const std::optional<Error> &fault() const noexcept { return fault_; }

  private:
    Damage &set(nse_picture &place, const nse_picture *&field, const char *argument, const Picture &picture) {
        place = picture.raw();
        field = &place;
        if (!fault_) {
            fault_ = picture.fault(argument);
        }
        return *this;
    }

    nse_picture picture_ = NSE_PICTURE_INIT, mask_ = NSE_PICTURE_INIT, reference_ = NSE_PICTURE_INIT;
    nse_restoration_desc desc_ = NSE_RESTORATION_DESC_INIT;
    std::optional<Error> fault_;
};

/// What a network made of an image.
struct Restored {
    Picture picture;
    /// JSON: which network, its costs, fitness, psnr and ssim; see nse_restoration_run.
    std::string report;
};

/// Networks to be fitted elsewhere; none while results are missing, and when the search is complete.
struct AskedCodes {
    std::vector<std::string> codes;
    bool done = false;
};

/// One image to restore, and the search for the network that does it best.
class Restoration : public detail::Handle<nse_restoration, nse_restoration_free> {
  public:
    Restoration() noexcept = default;
    /// Takes over a C handle.
    explicit Restoration(nse_restoration *owned) noexcept : Handle(owned) {}

    /// Makes a restoration; nothing is fitted yet. `options`: see `options_schema`; only "task" must be there. `on_event` is kept until
    /// the restoration has ended. NSE_ERR_CONFIG. NSE_ERR_INVALID_ARGUMENT: images of a wrong shape, or a mask without its task.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Restoration> create(const Damage &damage, std::string_view options, F &&on_event = {}) {
        return make(damage, options, std::forward<F>(on_event), nse_restoration_create);
    }
    /// Makes one from a file that `save`, or the option "checkpoint", has written; it goes on as if it had never stopped. `options`: "", or
    /// those of that one. NSE_ERR_IO. NSE_ERR_FORMAT: damaged, or of other images. NSE_ERR_CONFIG: options that differ.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Restoration> load(std::string_view path, const Damage &damage, std::string_view options = {},
                                                   F &&on_event = {}) {
        return make(damage, options, std::forward<F>(on_event), nse_restoration_load, detail::Text("path", path));
    }
    /// The options, as a JSON schema with keys, defaults, ranges and help.
    [[nodiscard]] static Outcome<std::string> options_schema() { return detail::read(nse_restoration_options_schema); }

    /// Runs one generation, or the rest of one that was cut short; true while more follow. NSE_ERR_CANCELLED. NSE_ERR_BUSY.
    /// NSE_ERR_OUT_OF_MEMORY. NSE_ERR_IO: the checkpoint could not be written. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_UNSUPPORTED.
    Outcome<bool> step() {
        const Result<nse_status> called = detail::call(nse_restoration_step, get());
        return detail::settle(detail::then(called, called.ok() && *called != NSE_DONE));
    }
    /// Begins a generation as `step` does, and returns at once. NSE_ERR_BUSY.
    [[nodiscard]] Outcome<Operation> step_async() const { return detail::make<Operation>(nse_restoration_step_async, get()); }

    /// Networks to be fitted elsewhere, in place of steps. NSE_ERR_INVALID_ARGUMENT: a count of none.
    [[nodiscard]] Outcome<AskedCodes> ask(std::size_t count) {
        detail::Buffer list;
        const Result<nse_status> called = detail::call(nse_restoration_ask, get(), count, static_cast<nse_buffer *>(&list));
        AskedCodes asked;
        asked.done = called.ok() && *called == NSE_DONE;
        // A list of texts that have nothing to escape.
        const std::string text = list.text();
        for (std::size_t from = text.find('"'); from != std::string::npos; from = text.find('"', from)) {
            const std::size_t end = text.find('"', from + 1);
            asked.codes.push_back(text.substr(from + 1, end - from - 1));
            from = end + 1;
        }
        return detail::settle(detail::then(called, std::move(asked)));
    }
    /// How fit a network is, in decibels; NaN: it failed. NSE_ERR_CONFLICT: another result is known. NSE_ERR_INVALID_ARGUMENT.
    Outcome<Effect> tell(std::string_view code, double fitness) {
        std::uint32_t effect = 0;
        const Result<nse_status> called =
            detail::call(nse_restoration_tell, get(), detail::Text("code", code), fitness, &effect);
        return detail::settle(detail::then(called, static_cast<Effect>(effect)));
    }
    /// What was asked may be asked again.
    Outcome<void> forget(std::string_view code) {
        return detail::perform(nse_restoration_forget, get(), detail::Text("code", code));
    }

    /// How it stands, as JSON: best, front, history and more; see nse_restoration_report.
    [[nodiscard]] Outcome<std::string> report() const { return detail::read(nse_restoration_report, get()); }

    /// Restores the image with one network: a genome, "classic" or "classic-inpaint". NSE_ERR_INVALID_ARGUMENT: no genome, or
    /// none with a network. NSE_ERR_DIVERGED. NSE_ERR_CANCELLED. NSE_ERR_BUSY. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_UNSUPPORTED.
    [[nodiscard]] Outcome<Restored> run(std::string_view code) { return run_with(detail::Text("code", code)); }
    /// With the fittest that is known. NSE_ERR_NOT_FOUND: nothing is known yet.
    [[nodiscard]] Outcome<Restored> run() {
        const char *const best = nullptr;
        return run_with(best);
    }

    /// Asks a running step or run to stop: it throws NSE_ERR_CANCELLED. Never waits.
    Outcome<void> cancel() const { return detail::perform(nse_restoration_cancel, get()); }
    /// Writes a file for `load`, whole or not at all. NSE_ERR_IO.
    Outcome<void> save(std::string_view path) const {
        return detail::perform(nse_restoration_save, get(), detail::Text("path", path));
    }

  private:
    template <class F, class Function, class... Before>
    [[nodiscard]] static Outcome<Restoration> make(const Damage &damage, std::string_view options, F &&on_event, Function function,
                                                   const Before &...before) {
        if (damage.fault()) {
            return detail::settle(Result<Restoration>(*damage.fault()));
        }
        return detail::make_described<Restoration>(damage.desc(), detail::Text("desc.options_json", options),
                                                   std::forward<F>(on_event), function, before...);
    }
    template <class Code> [[nodiscard]] Outcome<Restored> run_with(const Code &code) {
        Restored restored;
        Picture &picture = restored.picture;
        detail::Buffer report;
        Result<nse_status> called =
            detail::call(nse_restoration_shape, get(), &picture.channels, &picture.height, &picture.width);
        if (called.ok()) {
            picture.values.resize(std::size_t{picture.channels} * picture.height * picture.width);
            called = detail::call(nse_restoration_run, get(), code, picture.values.data(), picture.values.size(),
                                  static_cast<nse_buffer *>(&report));
            restored.report = report.text();
        }
        return detail::settle(detail::then(called, std::move(restored)));
    }
};

/// What a genome says, and what its network costs for an image, as JSON; see nse_genome_describe. `code` is a text such as "1-2cbe2", or
/// {"units": [...]}. NSE_ERR_INVALID_ARGUMENT. NSE_ERR_CONFIG.
[[nodiscard]] inline Outcome<std::string> describe_genome(std::string_view code, std::uint32_t channels, std::uint32_t height,
                                                          std::uint32_t width, std::uint32_t input_channels = 32) {
    return detail::read(nse_genome_describe, detail::Text("code", code), channels, height, width, input_channels);
}

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
