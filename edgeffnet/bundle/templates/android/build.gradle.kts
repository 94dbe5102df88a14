import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    id("com.android.library")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "edgeffnet.classifier"
    compileSdk = 35

    defaultConfig {
        minSdk = {{ min_sdk }}
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
    }

    androidResources {
        // Models are mapped into memory as they lie in the APK, which compressed ones cannot be.
        noCompress += "tflite"
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }

    sourceSets {
        getByName("test").resources.srcDir("test-data")
        getByName("androidTest").assets.srcDir("test-data")
    }
}

kotlin {
    compilerOptions {
        jvmTarget.set(JvmTarget.JVM_11)
    }
}

dependencies {
    implementation("com.google.ai.edge.litert:litert:{{ litert }}")
    implementation("com.google.ai.edge.litert:litert-gpu:{{ litert }}")
    implementation("com.google.ai.edge.litert:litert-gpu-api:{{ litert }}")

    testImplementation("junit:junit:4.13.2")

    androidTestImplementation("androidx.test.ext:junit:1.2.1")
    androidTestImplementation("androidx.test:runner:1.6.2")
}
