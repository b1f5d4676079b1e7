// Tensors of libtorch: shared, handed over, given back, refused.

#include <nse/torch.hpp>

#include "support.hpp"

using support::contains;

namespace {

at::Tensor pixels(std::uint32_t count) {
    support::Images made = support::images(count);
    return at::from_blob(made.pixels.data(), {count, 1, 12, 12}, at::kByte).clone();
}
at::Tensor labels(std::uint32_t count) { return at::arange(static_cast<std::int64_t>(count), at::kLong).remainder(3); }

TEST(Torch, ATensorSharesItsMemoryThroughDLPack) {
    const at::Tensor tensor = at::arange(6, at::kFloat).reshape({2, 3}).t();
    const auto before = tensor.storage().use_count(); // what it is a view of counts too
    {
        const at::Tensor again = nse::from_dlpack(nse::to_dlpack(tensor));
        EXPECT_TRUE(at::equal(tensor, again));
        EXPECT_EQ(again.strides(), tensor.strides());
        EXPECT_EQ(again.data_ptr(), tensor.data_ptr());
        EXPECT_EQ(tensor.storage().use_count(), before + 1);
        const nse::DLPack dropped = nse::to_dlpack(tensor);
        EXPECT_EQ(tensor.storage().use_count(), before + 2);
    }
    EXPECT_EQ(tensor.storage().use_count(), before);
    ASSERT_ERROR(undefined, NSE_ERR_INVALID_ARGUMENT, (void)nse::to_dlpack(at::Tensor()));
    EXPECT_EQ(undefined->detail(), R"({"argument":"tensor"})");
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::from_dlpack(nullptr));
}

TEST(Torch, ADatasetBorrowsATensorAndGivesItBack) {
    const at::Tensor images = pixels(12);
    {
        const nse::Dataset borrowed = nse::dataset_from_tensors(images, labels(12), 0, NSE_BORROW);
        EXPECT_EQ(images.storage().use_count(), 2u);
        EXPECT_EQ(borrowed.info(), support::dataset(12).info());
    }
    EXPECT_EQ(images.storage().use_count(), 1u);
    const nse::Dataset copied = nse::dataset_from_tensors(images, labels(12));
    EXPECT_EQ(images.storage().use_count(), 1u);
    ASSERT_ERROR(floats, NSE_ERR_INVALID_ARGUMENT, (void)nse::dataset_from_tensors(images.to(at::kFloat), labels(12)));
    EXPECT_EQ(floats->detail(), R"({"argument":"images"})");
    ASSERT_ERROR(none, NSE_ERR_INVALID_ARGUMENT, (void)nse::dataset_from_tensors(images, at::Tensor()));
    EXPECT_EQ(none->detail(), R"({"argument":"labels"})");
    EXPECT_EQ(images.storage().use_count(), 1u);
}

TEST(Torch, PushedTensorsAreThoseOfPlainArrays) {
    nse::Search plain = nse::Search::pushed(support::space(), support::search_options());
    nse::Search tensors = nse::Search::pushed(support::space(), support::search_options());
    const at::Tensor images = pixels(16).to(at::kFloat).div_(255).requires_grad_(), classes = labels(16);
    const at::Tensor numbers = classes.to(at::kInt);
    const nse::Batch batch{images.data_ptr<float>(), reinterpret_cast<const std::uint32_t *>(numbers.data_ptr<int>()), 16, 0.1};
    for (int i = 0; i < 2; ++i) {
        const nse::Pushed one = plain.push(nse::Phase::weight, batch);
        const nse::Pushed other = nse::push_tensors(tensors, nse::Phase::weight, images, classes, 0.1);
        EXPECT_EQ(one.loss, other.loss);
        EXPECT_EQ(other.step, static_cast<std::uint64_t>(i + 1));
    }
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, nse::push_tensors(tensors, nse::Phase::weight, images.to(at::kDouble), classes, 0.1));
    EXPECT_EQ(images.storage().use_count(), 1u);
}

} // namespace
