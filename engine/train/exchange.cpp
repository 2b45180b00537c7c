#include "engine/train/exchange.h"

#include "engine/autograd/tape.h"
#include "engine/train/evaluate.h"

namespace wiregrad::train {
namespace {

/// Buffers as they were, also when forward throws.
class KeptBuffers {
  public:
    explicit KeptBuffers(nn::Module& module) : buffers_(module.buffers()) {
        for (const nn::NamedTensor& buffer : buffers_)
            copies_.push_back(buffer.tensor.clone());
    }
    ~KeptBuffers() {
        for (std::size_t i = 0; i < buffers_.size(); ++i)
            buffers_[i].tensor.copy_(copies_[i]);
    }
    KeptBuffers(const KeptBuffers&) = delete;
    KeptBuffers& operator=(const KeptBuffers&) = delete;

  private:
    std::vector<nn::NamedTensor> buffers_;
    std::vector<Tensor> copies_;
};

} // namespace

std::vector<double> losses_without_trace(Model& model, const Batch& batch,
                                         const nn::ForwardContext& context, Tap* tap) {
    const autograd::NoGrad no_grad;
    const KeptBuffers kept(model.module());
    return read_losses(model.forward(batch, context, tap));
}

} // namespace wiregrad::train
