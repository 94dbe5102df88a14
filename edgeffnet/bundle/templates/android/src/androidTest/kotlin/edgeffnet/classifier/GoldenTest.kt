package edgeffnet.classifier

import android.graphics.BitmapFactory
import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs

/** On the device: golden images give the golden pixels, and each model here the golden outputs. */
@RunWith(AndroidJUnit4::class)
class GoldenTest {
    private val context = InstrumentationRegistry.getInstrumentation().context
    private val golden = asset("golden/images.txt").decodeToString().lines().filter { it.isNotEmpty() }
    private val models = Contract.MODELS.filter { fileName(it) in context.assets.list("edgeffnet").orEmpty() }

    @Test
    fun bitmapsBecomeTheGoldenPixels() {
        assertTrue(golden.isNotEmpty())
        for (name in golden) {
            val bitmap = context.assets.open("golden/$name.png").use { BitmapFactory.decodeStream(it) }
            val made = Contract.PREPROCESSING.pixels(Classifier.pixels(checkNotNull(bitmap)))
            assertArrayEquals(name, asset("golden/$name.pixels.bin"), made)
        }
    }

    @Test
    fun everyModelReturnsTheGoldenOutputs() {
        assertTrue(models.isNotEmpty())
        for (model in models) {
            Classifier(context, model).use { classifier ->
                for (name in golden) {
                    val made = classifier.run(asset("golden/$name.pixels.bin"))
                    val expected = asset("golden/$name.${fileName(model)}.bin")
                    assertAlike("${model.asset}, $name", model, expected, made)
                }
            }
        }
    }

    private fun assertAlike(
        what: String,
        model: Model,
        expected: ByteArray,
        made: ByteBuffer,
    ) {
        assertEquals(what, expected.size, made.remaining())
        val wanted = scores(model, ByteBuffer.wrap(expected).order(ByteOrder.LITTLE_ENDIAN))
        val found = scores(model, made)
        val best = wanted.indices.maxBy { wanted[it] }
        assertEquals("$what: best class", best, found.indices.maxBy { found[it] })
        for (index in wanted.indices) {
            val difference = abs(wanted[index] - found[index])
            assertTrue("$what: class $index differs by $difference", difference <= tolerance(model))
        }
    }

    private fun scores(
        model: Model,
        output: ByteBuffer,
    ): FloatArray {
        if (model.quantized && model.output == Output.LOGITS) return FloatArray(output.remaining()) { output.get(it).toFloat() }
        return FloatArray(output.remaining() / Float.SIZE_BYTES).also { output.asFloatBuffer().get(it) }
    }

    // Probabilities in float32, steps of 8-bit logits, or probabilities computed from those.
    private fun tolerance(model: Model): Float =
        when {
            !model.quantized -> 0.001f
            model.output == Output.LOGITS -> 1f
            else -> 0.05f
        }

    private fun fileName(model: Model): String = model.asset.substringAfterLast('/')

    private fun asset(path: String): ByteArray = context.assets.open(path).use { it.readBytes() }
}
