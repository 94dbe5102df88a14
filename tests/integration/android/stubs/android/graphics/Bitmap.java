package android.graphics;

import androidx.annotation.Nullable;

public final class Bitmap {
    public enum Config {
        RGB_565,
        ARGB_8888,
        HARDWARE
    }

    public native int getWidth();

    public native int getHeight();

    @Nullable
    public native Config getConfig();

    @Nullable
    public native Bitmap copy(Config config, boolean isMutable);

    public native void getPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height);
}
