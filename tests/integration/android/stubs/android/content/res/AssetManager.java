package android.content.res;

import androidx.annotation.Nullable;
import java.io.IOException;
import java.io.InputStream;

public final class AssetManager {
    public native InputStream open(String fileName) throws IOException;

    public native AssetFileDescriptor openFd(String fileName) throws IOException;

    @Nullable
    public native String[] list(String path) throws IOException;
}
