package edgeffnet.classifier

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.min

/** The order of a pixel's three numbers in a tensor. */
enum class Channels {
    RGB,
    BGR,
}

/**
 * From an image to a model's input tensor; plain Kotlin that also runs without Android.
 *
 * The centred square of [crop] times the short side becomes [resolution] x [resolution] pixels, and those become
 * (pixel - mean) / std for models that take float32. Mean and std are in the order of [channels].
 */
class Preprocessing(
    val resolution: Int,
    private val crop: Double,
    private val interpolation: Interpolation,
    private val channels: Channels,
    private val mean: FloatArray,
    private val std: FloatArray,
) {
    /** [image] cropped and resized: unsigned bytes, [resolution] x [resolution] x 3, row by row. */
    fun pixels(image: Pixels): ByteArray {
        val side = min(image.width, image.height) * crop
        val left = (image.width - side) / 2
        val top = (image.height - side) / 2
        val made = resample(image, left, top, side, resolution, interpolation)
        if (channels == Channels.BGR) swapEnds(made)
        return made
    }

    /** What a model that takes [input] is fed for [pixels]: a direct buffer in native order, at its beginning. */
    fun tensor(
        pixels: ByteArray,
        input: Input,
    ): ByteBuffer {
        val size = if (input == Input.FLOAT32) Float.SIZE_BYTES * pixels.size else pixels.size
        val tensor = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())
        when (input) {
            Input.UINT8 -> tensor.put(pixels)
            Input.INT8 -> for (pixel in pixels) tensor.put((pixel - 128).toByte())
            Input.FLOAT32 -> for (at in pixels.indices) tensor.putFloat(normalised(pixels[at], at % 3))
        }
        tensor.rewind()
        return tensor
    }

    private fun normalised(
        pixel: Byte,
        channel: Int,
    ): Float = ((pixel.toInt() and 0xFF) - mean[channel]) / std[channel]

    private fun swapEnds(pixels: ByteArray) {
        for (at in pixels.indices step 3) {
            val first = pixels[at]
            pixels[at] = pixels[at + 2]
            pixels[at + 2] = first
        }
    }
}
