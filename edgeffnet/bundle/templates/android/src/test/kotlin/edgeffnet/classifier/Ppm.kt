package edgeffnet.classifier

/** The image in a binary PPM file (P6, 8 bits, no comments). */
internal fun readPpm(file: ByteArray): Pixels {
    var at = 0
    val fields =
        List(4) {
            val from = at
            while (!file[at].toInt().toChar().isWhitespace()) at++
            file.decodeToString(from, at++)
        }
    require(fields[0] == "P6" && fields[3] == "255") { "not a binary PPM file of 8 bits" }
    return Pixels.rgb(file.copyOfRange(at, file.size), fields[1].toInt(), fields[2].toInt())
}
