package edgeffnet.classifier

import org.junit.runner.JUnitCore
import java.io.File
import java.nio.ByteBuffer
import kotlin.system.exitProcess

/** Runs the module's own JVM tests, then each line of a file of jobs: tab-separated words, the first its kind. */
fun main(arguments: Array<String>) {
    val result = JUnitCore.runClasses(PreprocessingTest::class.java)
    result.failures.forEach { println(it.trace) }
    println("ran ${result.runCount} tests, ${result.failureCount} failed")
    File(arguments[0]).readLines().map { it.split('\t') }.forEach(::perform)
    exitProcess(if (result.wasSuccessful()) 0 else 1)
}

private fun perform(job: List<String>) =
    when (job[0]) {
        "image" -> replay(Contract.PREPROCESSING, image(job[1]), job[2])
        "odd" -> replay(odd.Contract.PREPROCESSING, image(job[1]), job[2])
        "contract" -> replay(contract(job), image(job[1]), job[2])
        "labels" -> File(job[2]).writeText(readLabels(File(job[1]).readText()).joinToString("\u0000"))
        "best" -> File(job[2]).writeText(named(floats(File(job[1]).readBytes())))
        else -> error("no job $job")
    }

private fun replay(
    preprocessing: Preprocessing,
    image: Pixels,
    output: String,
) {
    val pixels = preprocessing.pixels(image)
    File("$output.pixels").writeBytes(pixels)
    for (input in Input.entries) {
        val tensor = preprocessing.tensor(pixels, input)
        File("$output.${input.name.lowercase()}").writeBytes(ByteArray(tensor.remaining()).also { tensor.get(it) })
    }
}

private fun contract(job: List<String>): Preprocessing {
    val (resolution, crop, interpolation) = job.drop(3)
    val none = floatArrayOf(0f, 0f, 0f)
    val one = floatArrayOf(1f, 1f, 1f)
    val kernel = Interpolation.valueOf(interpolation)
    return Preprocessing(resolution.toInt(), crop.toDouble(), kernel, Channels.RGB, none, one)
}

/** A PPM file, or one of 0xAARRGGBB pixels in big-endian order, 256 a row. */
private fun image(path: String): Pixels {
    val bytes = File(path).readBytes()
    if (path.endsWith(".ppm")) return readPpm(bytes)
    val pixels = IntArray(bytes.size / Int.SIZE_BYTES).also { ByteBuffer.wrap(bytes).asIntBuffer().get(it) }
    return Pixels.argb(pixels, 256, pixels.size / 256)
}

private fun floats(bytes: ByteArray): FloatArray {
    val values = FloatArray(bytes.size / Float.SIZE_BYTES)
    ByteBuffer.wrap(bytes).asFloatBuffer().get(values)
    return values
}

private fun named(logits: FloatArray): String =
    best(softmax(logits), listOf("first", "second"), 3).joinToString("\n") {
        "${it.index}\t${it.label}\t${it.probability}"
    }
