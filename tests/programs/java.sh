#!/bin/sh
# java with threads: the virtual machine and its compiler allocate by malloc, and so do direct buffers.

. "$(dirname "$0")/data/common.sh"
need java default-jdk-headless
need javac default-jdk-headless

cat >Load.java <<'END'
import java.nio.ByteBuffer;
import java.util.*;
import java.util.zip.*;

public class Load {
    static long work(long seed) throws DataFormatException {
        Random random = new Random(seed);
        CRC32 sum = new CRC32();
        List<ByteBuffer> kept = new ArrayList<>();
        for (int round = 0; round < 300; round++) {
            byte[] bytes = new byte[1 + random.nextInt(200000)];
            for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) (i % (1 + round % 50));
            Deflater deflater = new Deflater(); // its state lies in malloc's memory
            deflater.setInput(bytes);
            deflater.finish();
            byte[] packed = new byte[bytes.length + 100];
            sum.update(packed, 0, deflater.deflate(packed));
            deflater.end();
            kept.add(ByteBuffer.allocateDirect(1 + random.nextInt(100000)));
            if (kept.size() > 50) kept.subList(0, 25).clear();
        }
        return sum.getValue();
    }

    public static void main(String[] arguments) throws Exception {
        long[] sums = new long[4];
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < sums.length; i++) {
            int index = i;
            threads.add(new Thread(() -> {
                try {
                    sums[index] = work(index);
                } catch (DataFormatException error) {
                    throw new RuntimeException(error);
                }
            }));
        }
        for (Thread thread : threads) thread.start();
        for (Thread thread : threads) thread.join();
        System.out.println(Arrays.toString(sums));
    }
}
END

preloaded javac Load.java
preloaded java -Xmx128m Load
