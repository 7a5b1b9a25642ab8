package io.labyrinth.bench;

import io.labyrinth.Gfp;
import io.labyrinth.Labyrinth;
import io.labyrinth.Locking;
import io.labyrinth.netty.LabyrinthByteBufAllocator;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * An HTTP server on loopback that sends the files of a folder, each read into one buffer of the allocator's. Prints its
 * port, serves until its input ends, and prints then what its allocator still holds.
 */
public final class LoadServer {

    /** 32 MiB: enough for 32 connections, each with the largest file on the way. */
    private static final int FRAMES = 8192;

    private LoadServer() {
    }

    /** @param arguments which allocator, {@code netty} or {@code labyrinth}, and the folder */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        if (arguments[0].equals("netty")) {
            serve(ByteBufAllocator.DEFAULT, Path.of(arguments[1]));
            System.out.println("allocator=" + ByteBufAllocator.DEFAULT.getClass().getSimpleName());
            return;
        }
        try (Labyrinth labyrinth = Labyrinth.builder("load").frames(FRAMES).locking(Locking.PREFERRED).open()) {
            LabyrinthByteBufAllocator allocator =
                    new LabyrinthByteBufAllocator(labyrinth, Gfp.NOWAIT, UnpooledByteBufAllocator.DEFAULT);
            serve(allocator, Path.of(arguments[1]));
            labyrinth.validate();
            System.out.println("allocator=" + allocator + " " + allocator.metric());
        }
    }

    private static void serve(ByteBufAllocator allocator, Path folder) throws IOException, InterruptedException {
        Map<String, FileChannel> files = new TreeMap<>();
        try (DirectoryStream<Path> paths = Files.newDirectoryStream(folder)) {
            for (Path path : paths) {
                files.put("/" + path.getFileName(), FileChannel.open(path));
            }
        }
        EventLoopGroup loops = new MultiThreadIoEventLoopGroup(NioIoHandler.newFactory());
        try {
            Channel server = new ServerBootstrap().group(loops).channel(NioServerSocketChannel.class)
                    .option(ChannelOption.ALLOCATOR, allocator).childOption(ChannelOption.ALLOCATOR, allocator)
                    .childHandler(new ChannelInitializer<SocketChannel>() {
                        @Override
                        protected void initChannel(SocketChannel channel) {
                            channel.pipeline().addLast(new HttpServerCodec(), new Sender(files));
                        }
                    }).bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)).sync().channel();
            System.out.println("port=" + ((InetSocketAddress) server.localAddress()).getPort());
            while (System.in.read() >= 0) {
                continue;
            }
            server.close().sync();
        } finally {
            loops.shutdownGracefully().sync();
        }
    }

    private static final class Sender extends SimpleChannelInboundHandler<HttpRequest> {

        private final Map<String, FileChannel> files;

        Sender(Map<String, FileChannel> files) {
            this.files = files;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, HttpRequest request) throws IOException {
            FileChannel file = files.get(request.uri());
            int length = (int) file.size();
            ByteBuf body = context.alloc().directBuffer(length);
            while (body.writerIndex() < length) {
                body.writeBytes(file, body.writerIndex(), length - body.writerIndex());
            }
            FullHttpResponse response =
                    new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK, body);
            response.headers().setInt(HttpHeaderNames.CONTENT_LENGTH, length);
            context.writeAndFlush(response);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            // Who has measured enough leaves its connections in the middle of a file.
            if (!(cause instanceof IOException)) {
                cause.printStackTrace();
            }
            context.close();
        }
    }
}
