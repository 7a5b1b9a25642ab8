package io.labyrinth.jars;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.launch.FrameworkFactory;

/** Installs the library and a bundle of a user in an OSGi framework, in a JVM of its own, and runs the user's class. */
final class Bundles {

    private Bundles() {
    }

    /** With a folder for the framework, the library's jar, and the class. */
    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        Framework framework = ServiceLoader.load(FrameworkFactory.class).findFirst().orElseThrow().newFramework(Map.of(
                Constants.FRAMEWORK_STORAGE, folder.resolve("bundles").toString(),
                // Whatever its user logs by.
                Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA, "org.slf4j;version=2.0.0"));
        framework.start();
        try {
            BundleContext bundles = framework.getBundleContext();
            bundles.installBundle(Path.of(args[1]).toUri().toString()).start();
            Bundle user = bundles.installBundle(bundle(folder, Path.of(args[2])).toUri().toString());
            user.start();
            user.loadClass("user.User").getMethod("main", String[].class).invoke(null, (Object) new String[0]);
            try {
                user.loadClass("io.labyrinth.bindings.Native");
            } catch (ClassNotFoundException e) {
                System.out.println("not found: io.labyrinth.bindings.Native");
            }
        } finally {
            framework.stop();
            framework.waitForStop(10_000);
        }
    }

    /** As bnd would make it. */
    private static Path bundle(Path folder, Path program) throws IOException {
        Manifest manifest = new Manifest();
        Attributes attributes = manifest.getMainAttributes();
        attributes.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        attributes.putValue(Constants.BUNDLE_MANIFESTVERSION, "2");
        attributes.putValue(Constants.BUNDLE_SYMBOLICNAME, "user");
        attributes.putValue(Constants.IMPORT_PACKAGE, "io.labyrinth;version=\"[0.1,1)\"");
        Path jar = folder.resolve("user.jar");
        try (OutputStream file = Files.newOutputStream(jar); JarOutputStream out = new JarOutputStream(file, manifest)) {
            out.putNextEntry(new JarEntry("user/User.class"));
            Files.copy(program, out);
        }
        return jar;
    }
}
