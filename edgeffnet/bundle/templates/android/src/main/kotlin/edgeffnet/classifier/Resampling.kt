package edgeffnet.classifier

import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sin

/** How a pixel is made from its neighbours; [reach] is how many source pixels it looks at to each side. */
enum class Interpolation(
    internal val reach: Double,
) {
    NEAREST(0.0),
    BILINEAR(1.0),
    BICUBIC(2.0),
    LANCZOS(3.0),
    ;

    /** The weight of a neighbour at [distance], in source pixels. */
    internal fun weight(distance: Double): Double {
        val x = abs(distance)
        return when {
            x >= reach -> 0.0
            this == BILINEAR -> 1.0 - x
            this == BICUBIC && x < 1.0 -> (1.5 * x - 2.5) * x * x + 1.0
            this == BICUBIC -> (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
            this == LANCZOS -> sinc(x) * sinc(x / 3.0)
            else -> 1.0
        }
    }

    private fun sinc(x: Double): Double = if (x == 0.0) 1.0 else sin(x * PI) / (x * PI)
}

/**
 * Which source pixels each output pixel is made from, along one axis: it starts at [first] and takes as many
 * as it has [weights], which are fixed-point numbers that add up to one.
 */
internal class Taps(
    val first: IntArray,
    val weights: Array<IntArray>,
) {
    val start: Int get() = first.min()
    val end: Int get() = first.indices.maxOf { first[it] + weights[it].size }

    companion object {
        /**
         * The taps of [outputs] pixels that cover [from] to [to] of [size] source pixels. Where they are fewer than
         * the source pixels, the kernel widens by as much, so that every source pixel counts.
         */
        fun of(
            size: Int,
            from: Float,
            to: Float,
            outputs: Int,
            interpolation: Interpolation,
        ): Taps {
            val scale = (to - from).toDouble() / outputs
            if (interpolation == Interpolation.NEAREST) return nearest(size, from, scale, outputs)
            val widening = max(scale, 1.0)
            val reach = interpolation.reach * widening
            val narrowing = 1.0 / widening
            val first = IntArray(outputs)
            val weights =
                Array(outputs) { output ->
                    val centre = from + (output + 0.5) * scale
                    val start = max((centre - reach + 0.5).toInt(), 0)
                    val end = min((centre + reach + 0.5).toInt(), size)
                    first[output] = start
                    fixed(
                        DoubleArray(end - start) {
                            interpolation.weight((it + start - centre + 0.5) * narrowing)
                        },
                    )
                }
            return Taps(first, weights)
        }

        private fun nearest(
            size: Int,
            from: Float,
            scale: Double,
            outputs: Int,
        ): Taps {
            val one = intArrayOf(1 shl FRACTION)
            var at = from + scale * 0.5
            val first = IntArray(outputs)
            for (output in 0 until outputs) {
                first[output] = min(at.toInt(), size - 1)
                at += scale
            }
            return Taps(first, Array(outputs) { one })
        }

        private fun fixed(weights: DoubleArray): IntArray {
            var sum = 0.0
            for (weight in weights) sum += weight
            return IntArray(weights.size) {
                val scaled = weights[it] / sum * (1 shl FRACTION)
                (if (scaled < 0.0) scaled - 0.5 else scaled + 0.5).toInt()
            }
        }
    }
}

/** Bits behind the point: an 8-bit pixel times the largest weight still fits an Int with its sign. */
private const val FRACTION = 22
private const val HALF = 1 shl (FRACTION - 1)

/**
 * Pixels from [left], [top] on, [side] each way, as [resolution] x [resolution] pixels of three bytes.
 *
 * Rows first, then columns, rounded to 8 bits in between: to the bit what Pillow's `resize` does, row and column apart.
 */
internal fun resample(
    image: Pixels,
    left: Double,
    top: Double,
    side: Double,
    resolution: Int,
    interpolation: Interpolation,
): ByteArray {
    val across = Taps.of(image.width, left.toFloat(), (left + side).toFloat(), resolution, interpolation)
    val down = Taps.of(image.height, top.toFloat(), (top + side).toFloat(), resolution, interpolation)
    val start = down.start
    val stride = 3 * resolution
    val narrowed = ByteArray((down.end - start) * stride)
    val row = IntArray(image.width)
    for (y in start until down.end) {
        image.row(y, row)
        layOnWhite(row)
        narrow(row, across, narrowed, (y - start) * stride)
    }
    val resized = ByteArray(resolution * stride)
    for (y in 0 until resolution) {
        val weights = down.weights[y]
        val from = (down.first[y] - start) * stride
        for (x in 0 until stride) {
            var sum = HALF
            var at = from + x
            for (weight in weights) {
                sum += (narrowed[at].toInt() and 0xFF) * weight
                at += stride
            }
            resized[y * stride + x] = clipped(sum)
        }
    }
    return resized
}

private fun narrow(
    row: IntArray,
    taps: Taps,
    into: ByteArray,
    offset: Int,
) {
    var at = offset
    for (x in taps.first.indices) {
        var red = HALF
        var green = HALF
        var blue = HALF
        var source = taps.first[x]
        for (weight in taps.weights[x]) {
            val pixel = row[source++]
            red += (pixel shr 16 and 0xFF) * weight
            green += (pixel shr 8 and 0xFF) * weight
            blue += (pixel and 0xFF) * weight
        }
        into[at++] = clipped(red)
        into[at++] = clipped(green)
        into[at++] = clipped(blue)
    }
}

private fun clipped(sum: Int): Byte = (sum shr FRACTION).coerceIn(0, 255).toByte()

private fun layOnWhite(row: IntArray) {
    for (x in row.indices) {
        val pixel = row[x]
        val alpha = pixel ushr 24
        if (alpha == 255) continue
        val red = onWhite(pixel shr 16 and 0xFF, alpha)
        val green = onWhite(pixel shr 8 and 0xFF, alpha)
        val blue = onWhite(pixel and 0xFF, alpha)
        row[x] = (0xFF shl 24) or (red shl 16) or (green shl 8) or blue
    }
}

private fun onWhite(
    colour: Int,
    alpha: Int,
): Int = (colour * alpha + 255 * (255 - alpha) + 127) / 255
