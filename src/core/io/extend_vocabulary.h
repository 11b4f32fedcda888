#pragma once
#include "core/io/checkpoint.h"

namespace charnn {
/// The same network for a vocabulary with more symbols. The rows of old symbols in encoder and decoder, and their
/// moments, keep their exact values; they move, since symbols are numbered in ascending order. A new symbol has zero
/// moments, an encoder row from `fresh` (the weights of a new network of that size) and, in the decoder, the mean of
/// all old rows. So n new symbols beside V old ones cost an old text at most ln(1 + n / V) nats per character before
/// they are trained, and usually far less (Hewitt 2021, "Initializing new word embeddings for pretrained language
/// models").
///
/// Throws Error (usage) if `wider` lacks a symbol of the checkpoint.
Checkpoint extend_vocabulary(Checkpoint checkpoint, const Vocabulary& wider, const std::vector<float>& fresh);
}  // namespace charnn
