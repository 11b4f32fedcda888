#pragma once

#include <memory>
#include <string>

#include "core/train/trainer.h"
#include "tests/support.h"

namespace charnn::test {

inline std::string sentence() {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "the cat sat on the mat. " + std::to_string(i * i % 7);
  return text;
}

/// A whole training set-up on a small text.
struct Rig {
  explicit Rig(Cell cell = Cell::lstm, double lr = 0.01, double dropout = 0.2, const std::string& text = sentence()) {
    model_config = {.cell = cell, .layers = 2, .hidden = 16, .embedding = 8, .dropout = dropout};
    optimizer.lr = lr;
    schedule = {.kind = ScheduleKind::constant, .warmup_steps = 0};
    train = {.batch_size = 4,
             .sequence_length = 20,
             .epochs = 0,
             .max_steps = 40,
             .eval_every = 7,
             .checkpoint_every = 5,
             .log_every = 3};
    corpus = std::make_unique<Corpus>(corpus_of(folder, text, 0.1));
    torch::manual_seed(1);
    model = std::make_unique<CharRnn>(model_config, corpus->vocabulary().size());
    adam = std::make_unique<Adam>(model->weights(), optimizer, model->pool());
    batcher = std::make_unique<Batcher>(*corpus, corpus->train(), train.batch_size, train.sequence_length);
  }

  TrainerParts parts() { return {train, optimizer, schedule, *model, *adam, *batcher, *corpus}; }

  TemporaryFolder folder;
  ModelConfig model_config;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  TrainConfig train;
  std::unique_ptr<Corpus> corpus;
  std::unique_ptr<CharRnn> model;
  std::unique_ptr<Adam> adam;
  std::unique_ptr<Batcher> batcher;
};

}  // namespace charnn::test
