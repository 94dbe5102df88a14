package edgeffnet.classifier

/** An upright image, read row by row: a large photograph is never copied whole. */
interface Pixels {
    val width: Int
    val height: Int

    /** Fills the first [width] elements of [into] with row [y], as 0xAARRGGBB, colours not multiplied by alpha. */
    fun row(
        y: Int,
        into: IntArray,
    )

    companion object {
        /** An image of [width] x [height] pixels, row by row, 0xAARRGGBB each. */
        fun argb(
            pixels: IntArray,
            width: Int,
            height: Int,
        ): Pixels {
            require(pixels.size == width * height) { "${pixels.size} pixels are not $width x $height" }
            return ArgbPixels(pixels, width, height)
        }

        /** An image of [width] x [height] pixels, row by row, three bytes each: red, green, blue. */
        fun rgb(
            bytes: ByteArray,
            width: Int,
            height: Int,
        ): Pixels {
            require(bytes.size == 3 * width * height) { "${bytes.size} bytes are not $width x $height x 3" }
            return RgbPixels(bytes, width, height)
        }
    }
}

private class ArgbPixels(
    private val pixels: IntArray,
    override val width: Int,
    override val height: Int,
) : Pixels {
    override fun row(
        y: Int,
        into: IntArray,
    ) {
        pixels.copyInto(into, 0, y * width, (y + 1) * width)
    }
}

private class RgbPixels(
    private val bytes: ByteArray,
    override val width: Int,
    override val height: Int,
) : Pixels {
    override fun row(
        y: Int,
        into: IntArray,
    ) {
        var at = 3 * y * width
        for (x in 0 until width) {
            val red = bytes[at].toInt() and 0xFF
            val green = bytes[at + 1].toInt() and 0xFF
            val blue = bytes[at + 2].toInt() and 0xFF
            into[x] = (0xFF shl 24) or (red shl 16) or (green shl 8) or blue
            at += 3
        }
    }
}
