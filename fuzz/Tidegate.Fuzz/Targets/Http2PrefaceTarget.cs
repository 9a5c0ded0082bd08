using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Tidegate.Edge;
using Tidegate.Edge.Multiplexed;
using Tidegate.Fuzz.Inputs;
using Tidegate.Transport;

namespace Tidegate.Fuzz.Targets;

/// <summary>A cleartext connection's first bytes: HTTP/2 or not, and all of them are left for whoever serves it.</summary>
internal sealed class Http2PrefaceTarget : FuzzTarget
{
    private const string Start = "PRI * HTTP/2.0";

    private static readonly Deadlines Deadlines = new(TimeProvider.System);

    private static readonly PipeOptions Inline = new(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0, useSynchronizationContext: false);

    public override string Name => "http2-preface";

    public override IReadOnlyList<byte[]> Seeds { get; } = Latin1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x4\0\0\0\0\0", "PRI * HTTP/2.0", "PRI", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "P");

    public override IReadOnlyList<byte[]> Tokens { get; } = Latin1("PRI", "PRI * HTTP/2.0", "PRI * HTTP/1.1", "P", " ", "\r\n");

    public override void Check(byte[] input, Random random)
    {
        var pipe = new Pipe(Inline);
        var connection = new DefaultConnectionContext("fuzz", new Duplex(pipe.Reader), new Duplex(pipe.Reader));
        using var drain = new DrainSignal();
        var looking = Http2Preface.IsNextAsync(connection, EdgeLimits.Default, drain, Deadlines).AsTask();
        foreach (var piece in Pieces.Cut(input, random))
        {
            pipe.Writer.Write(piece);
            Holds(pipe.Writer.FlushAsync().AsTask().IsCompleted, "the pipe is full");
        }

        pipe.Writer.Complete();
        Holds(looking.IsCompleted, "it waits for more than the connection has");
        var expected = input.Length == 0 ? (bool?)null : input.AsSpan().StartsWith(System.Text.Encoding.Latin1.GetBytes(Start));
        AreEqual($"{expected}", $"{looking.GetAwaiter().GetResult()}", "it is judged differently");
        Holds(pipe.Reader.TryRead(out var left) && left.Buffer.ToArray().AsSpan().SequenceEqual(input), "bytes were taken away");
    }

    private sealed class Duplex(PipeReader input) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => throw new NotSupportedException();
    }
}
