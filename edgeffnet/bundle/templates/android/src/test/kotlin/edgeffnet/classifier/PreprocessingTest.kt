package edgeffnet.classifier

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import kotlin.math.abs

/** The golden images become the golden tensors; runs on the workstation, without a device. */
class PreprocessingTest {
    private val golden = resource("images.txt").decodeToString().lines().filter { it.isNotEmpty() }

    @Test
    fun imagesBecomeTheGoldenPixels() {
        assertTrue(golden.isNotEmpty())
        for (name in golden) {
            val expected = resource("$name.pixels.bin")
            val made = Contract.PREPROCESSING.pixels(readPpm(resource("$name.ppm")))
            assertEquals(name, expected.size, made.size)
            for (at in made.indices) {
                val difference = (made[at].toInt() and 0xFF) - (expected[at].toInt() and 0xFF)
                assertTrue("$name differs by $difference at $at", abs(difference) <= 1)
            }
        }
    }

    @Test
    fun pixelsBecomeTheGoldenTensors() {
        assertTrue(golden.isNotEmpty())
        for (name in golden) {
            val tensor = Contract.PREPROCESSING.tensor(resource("$name.pixels.bin"), Input.FLOAT32)
            val made = ByteArray(tensor.remaining()).also { tensor.get(it) }
            assertArrayEquals(name, resource("$name.normalised.bin"), made)
        }
    }

    private fun resource(name: String): ByteArray {
        val stream = checkNotNull(javaClass.getResourceAsStream("/golden/$name")) { "no test-data/golden/$name" }
        return stream.use { it.readBytes() }
    }
}
