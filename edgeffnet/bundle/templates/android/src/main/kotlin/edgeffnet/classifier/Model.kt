package edgeffnet.classifier

/** In what numbers a model takes pixels: as they are, minus 128, or normalised. */
enum class Input {
    UINT8,
    INT8,
    FLOAT32,
}

/** What a model returns for each class. */
enum class Output {
    PROBABILITIES,
    LOGITS,
}

/** A model among the assets, how it is fed and read, and whether it computes in 8 bits. */
class Model(
    val asset: String,
    val input: Input,
    val output: Output,
    val quantized: Boolean,
)
