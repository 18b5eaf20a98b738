// Softmax cross entropy of a batch over its unique items, with both gradients, in one walk over tiles of rows.
//
// Row i of `queries` [P, D] has the scores s_u = q_i · v_u against `items` [U, D], each of which stands n_u times among
// the candidates (`log_counts` [U] is log n_u), and its own item is column[i]. Its loss is log Σ_u n_u exp(s_u) − s_own.
// Given back: the losses [P], and the gradients of Σ_i weights_i · loss_i by the queries [P, D] and the items [U, D].
//
// Each thread takes tiles of `height` rows, so that a tile's scores stay in its cache between the product that makes them
// and the two that use them. A thread sums the items' gradient on its own; the sums are added up in the end.

#include <ATen/Parallel.h>
#include <torch/extension.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace {

// exp(x) for x ≤ 0, to about one part in 10^7; below −87, where float32 ends, as at −87. Free of branches and calls, so
// that the compiler makes it work on a whole vector: x = n·ln 2 + r with n whole, exp(r) by a polynomial (the Cephes
// library's expf), and 2^n by writing n into the exponent's bits.
inline float exp_not_positive(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 · 2^23: adding it leaves no bits for a fraction
  x = x > -87.0f ? x : -87.0f;
  const float whole = (x * 1.44269504088896341f + kRound) - kRound;
  float rest = std::fma(whole, -0.693359375f, x);
  rest = std::fma(whole, 2.12194440e-4f, rest);
  float sum = 1.9875691500e-4f;
  sum = std::fma(sum, rest, 1.3981999507e-3f);
  sum = std::fma(sum, rest, 8.3334519073e-3f);
  sum = std::fma(sum, rest, 4.1665795894e-2f);
  sum = std::fma(sum, rest, 1.6666665459e-1f);
  sum = std::fma(sum, rest, 5.0000001201e-1f);
  sum = std::fma(sum * rest, rest, rest) + 1.0f;
  const int32_t bits = (static_cast<int32_t>(whole) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return sum * power;
}

// Turns a row's scores into n_u exp(s_u − max), and gives their sum; `highest` becomes the max of s_u + log n_u.
inline float exponentials(float* scores, const float* log_counts, int64_t num_items, float& highest) {
  float most = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : most)
  for (int64_t u = 0; u < num_items; ++u) {
    scores[u] += log_counts[u];
    most = std::max(most, scores[u]);
  }
  float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int64_t u = 0; u < num_items; ++u) {
    scores[u] = exp_not_positive(scores[u] - most);
    sum += scores[u];
  }
  highest = most;
  return sum;
}

}  // namespace

std::vector<torch::Tensor> softmax_with_gradients(
    torch::Tensor queries,
    torch::Tensor items,
    torch::Tensor column,
    torch::Tensor log_counts,
    torch::Tensor weights,
    int64_t height) {
  const int64_t num_rows = queries.size(0), num_items = items.size(0);
  const int num_threads = at::get_num_threads();
  auto losses = torch::empty({num_rows}, queries.options());
  auto grad_queries = torch::empty_like(queries);
  auto grad_items = torch::zeros({num_threads, num_items, items.size(1)}, items.options());
  auto tiles = torch::empty({num_threads, height, num_items}, queries.options());
  const auto items_across = items.t();
  const int64_t* own = column.data_ptr<int64_t>();
  const float* log_count = log_counts.data_ptr<float>();
  const float* weight = weights.data_ptr<float>();
  float* loss = losses.data_ptr<float>();

  at::parallel_for(0, (num_rows + height - 1) / height, 1, [&](int64_t first, int64_t last) {
    const at::NoGradGuard no_grad;
    const int thread = at::get_thread_num();
    auto grad_items_here = grad_items[thread];
    auto factors = torch::empty({height, 1}, queries.options());
    float* factor = factors.data_ptr<float>();
    for (int64_t tile = first; tile < last; ++tile) {
      const int64_t start = tile * height, rows = std::min(height, num_rows - start);
      const auto query = queries.narrow(0, start, rows);
      auto scores = tiles[thread].narrow(0, 0, rows);
      at::mm_out(scores, query, items_across);
      for (int64_t row = 0; row < rows; ++row) {
        float* of_row = scores.data_ptr<float>() + row * num_items;
        const int64_t mine = own[start + row];
        const float own_score = of_row[mine];
        float highest;
        const float sum = exponentials(of_row, log_count, num_items, highest);
        loss[start + row] = std::log(sum) + highest - own_score;
        of_row[mine] -= sum;  // the gradient by the scores, but for the row's factor
        factor[row] = weight[start + row] / sum;
      }
      const auto by_row = factors.narrow(0, 0, rows);
      auto grad_query = grad_queries.narrow(0, start, rows);
      at::mm_out(grad_query, scores, items);
      grad_query.mul_(by_row);
      grad_items_here.addmm_(scores.t(), query * by_row);
    }
  });
  return {losses, grad_queries, grad_items.sum(0)};
}
