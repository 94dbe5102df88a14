package androidx.annotation;

/** Kotlin reads it as `?`. */
public @interface Nullable {}
