package edgeffnet.classifier

import kotlin.math.exp

/** A class that a model named for an image; [probability] is 0 to 1. */
data class Prediction(
    val index: Int,
    val label: String,
    val probability: Float,
)

/** The class names in [text], which holds one a line. */
internal fun readLabels(text: String): List<String> {
    if (text.isEmpty()) return emptyList()
    return text.removeSuffix("\n").split('\n')
}

/** The [count] most probable classes, best first; classes without a label are named by their number. */
internal fun best(
    probabilities: FloatArray,
    labels: List<String>,
    count: Int,
): List<Prediction> =
    probabilities.indices
        .sortedByDescending { probabilities[it] }
        .take(count)
        .map { Prediction(it, labels.getOrElse(it) { _ -> "class $it" }, probabilities[it]) }

/** Probabilities from logits. */
internal fun softmax(logits: FloatArray): FloatArray {
    val highest = logits.max()
    val powers = DoubleArray(logits.size) { exp((logits[it] - highest).toDouble()) }
    val sum = powers.sum()
    return FloatArray(logits.size) { (powers[it] / sum).toFloat() }
}
