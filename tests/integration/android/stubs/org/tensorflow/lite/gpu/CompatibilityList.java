package org.tensorflow.lite.gpu;

import java.io.Closeable;

public class CompatibilityList implements Closeable {
    public native boolean isDelegateSupportedOnThisDevice();

    public native GpuDelegateFactory.Options getBestOptionsForThisDevice();

    @Override
    public native void close();
}
