/* SPDX-License-Identifier: Apache-2.0
 *
 * attached.c: threads that Java has not started, for tests: a thread that is attached by JNI, a thread that its first
 * call into Java attaches, and a thread that an agent of the JVM's tool interface runs. Each runs a function from Java.
 */
#include <jvmti.h>
#include <pthread.h>

typedef void (*work)(void);

static JavaVM *vm;

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *loader, void *reserved)
{
    (void) reserved;
    vm = loader;
    return JNI_VERSION_10;
}

static void *attach_and_run(void *given)
{
    JNIEnv *env;
    if ((*vm)->AttachCurrentThread(vm, (void **) &env, NULL) == JNI_OK) {
        ((work) given)();
        (*vm)->DetachCurrentThread(vm);
    }
    return NULL;
}

static void *just_run(void *given)
{
    ((work) given)();
    return NULL;
}

static int start(void *(*body)(void *), work given)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, body, (void *) given) != 0 || pthread_detach(thread) != 0;
}

int run_attached_by_jni(work given)
{
    return start(attach_and_run, given);
}

int run_attached_by_its_call(work given)
{
    return start(just_run, given);
}

static void JNICALL agent(jvmtiEnv *tools, JNIEnv *env, void *given)
{
    (void) tools;
    (void) env;
    ((work) given)();
}

int run_by_an_agent(work given)
{
    JNIEnv *env;
    jvmtiEnv *tools;
    if ((*vm)->GetEnv(vm, (void **) &env, JNI_VERSION_10) != JNI_OK
        || (*vm)->GetEnv(vm, (void **) &tools, JVMTI_VERSION_11) != JNI_OK) {
        return 1;
    }
    jclass type = (*env)->FindClass(env, "java/lang/Thread");
    jobject thread = (*env)->NewObject(env, type, (*env)->GetMethodID(env, type, "<init>", "()V"));
    return (*tools)->RunAgentThread(tools, thread, agent, (void *) given, JVMTI_THREAD_NORM_PRIORITY);
}
