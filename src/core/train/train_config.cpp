#include "core/train/train_config.h"

namespace charnn {
Section describe(OptimizerConfig& c) {
  return {"optimizer",
          "Adam (Kingma, Ba 2014)",
          {Field::real("lr", c.lr, from_to(0, 10), "learning rate at its peak").with_value_name("RATE").shown_first(),
           Field::real("beta1", c.beta1, from_to_below(0, 1), "decay of the first moment (mean of the gradient)"),
           Field::real("beta2", c.beta2, from_to_below(0, 1), "decay of the second moment (mean of its square)"),
           Field::real("eps", c.eps, above(0), "added to the denominator"),
           Field::real("weight_decay", c.weight_decay, at_least(0),
                       "decoupled weight decay: each step takes learning rate x weight_decay of every weight away, but "
                       "not of biases (AdamW: Loshchilov, Hutter 2017)"),
           Field::real("l2_penalty", c.l2_penalty, at_least(0),
                       "l2_penalty x weight is added to the gradient, as torch.optim.Adam's weight_decay does"),
           Field::real("clip_norm", c.clip_norm, at_least(0), "largest norm of all gradients together; 0: no clipping"),
           Field::real("average_decay", c.average_decay, from_to_below(0, 1),
                       "above 0, for example 0.99: validation, the best checkpoint and samples use an exponential "
                       "average of the weights, which keeps this share of itself at each step"),
           Field::text_list("freeze", c.freeze,
                            "layers not to train: encoder, rnn, rnn.0 (its first layer) and so on, decoder; repeatable")
               .with_value_name("LAYER")}};
}

Section describe(ScheduleConfig& c) {
  return {
      "schedule",
      "The learning rate over time (plotted by charnn plot --schedule)",
      {Field::choice("kind", c.kind, schedule_names, "shape of the schedule after the warm-up").with_flag("schedule"),
       Field::integer("warmup_steps", c.warmup_steps, at_least(0),
                      "steps in which the rate rises from 0, at the start and after --reset-optimizer"),
       Field::real("final_lr_ratio", c.final_lr_ratio, from_to(0, 1),
                   "lowest rate as a share of lr (all but constant, step and inverse_sqrt)"),
       Field::integer("total_steps", c.total_steps, at_least(0),
                      "step at which the schedule ends; 0: from epochs, max_steps and max_minutes"),
       Field::integer("period_steps", c.period_steps, at_least(0),
                      "step: steps between drops; cosine_restarts: those of the first cycle; 0: a fifth of all"),
       Field::real("period_growth", c.period_growth, from_to(1, 10),
                   "cosine_restarts: length of each cycle as a multiple of the one before"),
       Field::real("decay_factor", c.decay_factor, from_to_below(0, 1), "step, plateau: factor of each drop"),
       Field::real("rise_fraction", c.rise_fraction, from_to_below(0, 1),
                   "one_cycle: share of the steps in which the rate rises, from lr / 25"),
       Field::real("stable_fraction", c.stable_fraction, from_to_below(0, 1),
                   "wsd: share of the steps before the rate begins to fall"),
       Field::integer("plateau_patience", c.plateau_patience, at_least(1),
                      "plateau: evaluations without a new best before a drop")}};
}

Section describe(TrainConfig& c) {
  return {
      "train",
      "Training",
      {Field::integer("batch_size", c.batch_size, from_to(1, 1 << 20), "number of parallel text streams")
           .shown_first()
           .fixed_for_run(),
       Field::integer("sequence_length", c.sequence_length, from_to(1, 1 << 20),
                      "characters per stream and step that gradients flow back through (truncated BPTT)")
           .fixed_for_run(),
       Field::integer("shards", c.shards, from_to(1, 1024),
                      "parts of the batch, a power of two, whose gradients are added in a fixed order: any of 1, 2, 4 "
                      "... processes, up to so many, train the same bits; a new run with N processes takes N")
           .fixed_for_run(),
       Field::real("window_jitter", c.window_jitter, from_to_below(0, 1),
                   "share of sequence_length by which windows are longer or shorter at random; the rate of a step is "
                   "scaled with its length")
           .fixed_for_run(),
       Field::integer("epochs", c.epochs, at_least(0), "passes over the training text; 0: no such limit").shown_first(),
       Field::integer("max_steps", c.max_steps, at_least(0), "optimizer steps; 0: no such limit"),
       Field::real("max_minutes", c.max_minutes, at_least(0),
                   "minutes, over all resumptions; 0: no such limit. The schedule is made to end in time")
           .with_value_name("MINUTES")
           .shown_first(),
       Field::choice("state", c.state, carried_state_names,
                     "initial state of each window of text: carried over from the window before it, or reset to zeros"),
       Field::real("drop_state_probability", c.drop_state_probability, from_to_below(0, 1),
                   "chance that a stream's carried state is set to zeros before a window (Melis et al. 2020)"),
       Field::integer("patience", c.patience, at_least(0),
                      "evaluations without a new best after which training ends early; 0: never"),
       Field::integer("eval_every", c.eval_every, at_least(0), "steps between evaluations; 0: only at the end"),
       Field::integer("eval_max_chars", c.eval_max_chars, at_least(-1),
                      "characters of the validation part that evaluations during training use; 0: all; -1: all, or as "
                      "many as take about a twentieth of the time"),
       Field::integer("checkpoint_every", c.checkpoint_every, at_least(0),
                      "steps between checkpoints; 0: only with evaluations and at the end"),
       Field::real("checkpoint_minutes", c.checkpoint_minutes, at_least(0),
                   "longest time between checkpoints, whatever the steps; 0: no such limit"),
       Field::integer("keep_every", c.keep_every, at_least(0),
                      "steps between checkpoints that stay, as step-N.safetensors beside last and best; 0: none"),
       Field::integer("keep", c.keep, at_least(0), "how many of those to keep (the newest); 0: all"),
       Field::integer("log_every", c.log_every, at_least(1), "steps between records in metrics.jsonl"),
       Field::integer("seed", c.seed, from_to(0, 9007199254740992.0), "seed of initial weights, dropout and samples")
           .shown_first()
           .fixed_for_run(),
       Field::choice(
           "device", c.device, device_names,
           "auto: a CUDA GPU if LibTorch has one, else the CPU; cuda: each local process takes its own GPU; torch: "
           "the GPU's code on the CPU, through LibTorch: slow, for comparison"),
       Field::integer("threads", c.threads, from_to(0, 1024), "CPU threads; 0: one per core, fewer for small networks"),
       Field::choice(
           "precision", c.precision, precision_names,
           "number format of matrix products; auto: bf16 where that is faster (a CPU with AMX, AMD's with AVX-512 "
           "BF16, a GPU whose cuDNN has it), else fp32; tf32 and fp16: on a GPU only")
           .fixed_for_run(),
       Field::choice("on_divergence", c.on_divergence, on_divergence_names,
                     "if the loss explodes: roll back to the best weights so far, at half the rate; stop with exit "
                     "status 3; or ignore it, and only skip steps that are not finite"),
       Field::integer(
           "max_skipped_steps", c.max_skipped_steps, at_least(1),
           "steps in a row with a NaN or infinite loss or gradient (all skipped) that count as divergence")}};
}
}  // namespace charnn
