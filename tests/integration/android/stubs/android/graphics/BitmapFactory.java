package android.graphics;

import androidx.annotation.Nullable;
import java.io.InputStream;

public class BitmapFactory {
    @Nullable
    public static native Bitmap decodeStream(InputStream is);
}
