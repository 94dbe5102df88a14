package edgeffnet.classifier

import android.content.Context
import android.graphics.Bitmap
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.gpu.CompatibilityList
import org.tensorflow.lite.gpu.GpuDelegate
import java.io.Closeable
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel

/**
 * Classifies bitmaps with LiteRT, by [Contract]. Close it after use.
 *
 * One call at a time runs; with the GPU, all of them on the thread that made the classifier.
 */
class Classifier(
    context: Context,
    private val model: Model = Contract.DEFAULT,
    options: Options = Options(),
) : Closeable {
    /** [threads] and [xnnpack] are for the CPU; [gpu] asks for the GPU where the device has a suitable one. */
    class Options(
        val threads: Int = 4,
        val xnnpack: Boolean = true,
        val gpu: Boolean = false,
    )

    private val labels =
        context.assets
            .open(Contract.LABELS)
            .bufferedReader()
            .use { readLabels(it.readText()) }
    private val delegate = if (options.gpu) gpuDelegate() else null
    private val interpreter = interpreter(context, options)

    /** Whether the GPU was asked for and the device has one that LiteRT supports. */
    val onGpu: Boolean get() = delegate != null

    /**
     * The [count] most probable classes of [bitmap], best first.
     *
     * The bitmap has to be upright: `BitmapFactory` and cameras leave it as the sensor saw it, and the rotation in
     * the file's EXIF data or the camera's metadata.
     */
    fun classify(
        bitmap: Bitmap,
        count: Int = 5,
    ): List<Prediction> = best(probabilities(Contract.PREPROCESSING.pixels(pixels(bitmap))), labels, count)

    /** The probability of each class for [pixels], which are cropped and resized already. */
    fun probabilities(pixels: ByteArray): FloatArray {
        val returned = values(run(pixels))
        return if (model.output == Output.LOGITS) softmax(returned) else returned
    }

    /** What the model returns for [pixels], as it lies in the output tensor. */
    @Synchronized
    internal fun run(pixels: ByteArray): ByteBuffer {
        val size = interpreter.getOutputTensor(0).numBytes()
        val output = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())
        interpreter.run(Contract.PREPROCESSING.tensor(pixels, model.input), output)
        output.rewind()
        return output
    }

    @Synchronized
    override fun close() {
        interpreter.close()
        delegate?.close()
    }

    private fun values(output: ByteBuffer): FloatArray {
        val tensor = interpreter.getOutputTensor(0)
        val values = FloatArray(tensor.numElements())
        if (tensor.dataType() == DataType.FLOAT32) {
            output.asFloatBuffer().get(values)
        } else {
            val steps = tensor.quantizationParams()
            for (index in values.indices) values[index] = (output.get(index) - steps.zeroPoint) * steps.scale
        }
        return values
    }

    private fun interpreter(
        context: Context,
        options: Options,
    ): Interpreter {
        val settings = Interpreter.Options()
        settings.setNumThreads(options.threads)
        settings.setUseXNNPACK(options.xnnpack)
        delegate?.let { settings.addDelegate(it) }
        try {
            return Interpreter(mapped(context, model.asset), settings)
        } catch (failure: Exception) {
            delegate?.close()
            throw failure
        }
    }

    companion object {
        /** [bitmap] as the preprocessing reads it. */
        fun pixels(bitmap: Bitmap): Pixels = BitmapPixels(bitmap)

        private fun gpuDelegate(): GpuDelegate? =
            CompatibilityList().use {
                if (it.isDelegateSupportedOnThisDevice) GpuDelegate(it.bestOptionsForThisDevice) else null
            }

        private fun mapped(
            context: Context,
            asset: String,
        ): ByteBuffer =
            // Fails for an asset that was compressed: noCompress in build.gradle.kts keeps it as it is.
            context.assets.openFd(asset).use { file ->
                FileInputStream(file.fileDescriptor).channel.use {
                    it.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
                }
            }
    }
}

private class BitmapPixels(
    bitmap: Bitmap,
) : Pixels {
    // Pixels of hardware bitmaps cannot be read, and those of other kinds are not 8-bit.
    private val readable =
        if (bitmap.config == Bitmap.Config.ARGB_8888) {
            bitmap
        } else {
            checkNotNull(bitmap.copy(Bitmap.Config.ARGB_8888, false)) { "the bitmap cannot be read" }
        }
    override val width: Int = bitmap.width
    override val height: Int = bitmap.height

    override fun row(
        y: Int,
        into: IntArray,
    ) {
        readable.getPixels(into, 0, width, 0, y, width, 1)
    }
}
