using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Tidegate.Edge;
using Tidegate.Edge.Http1;
using Tidegate.Exchanges;
using Tidegate.Fuzz.Inputs;
using Tidegate.Transport;

namespace Tidegate.Fuzz.Targets;

/// <summary>A client's chunked content: what a plain reading says it is, however it is cut and read, and the next request begins just where it ends.</summary>
internal sealed class ChunkedBodyTarget : FuzzTarget
{
    private static readonly Deadlines Deadlines = new(TimeProvider.System);

    private static readonly PipeOptions Inline = new(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0, useSynchronizationContext: false);

    public override string Name => "chunked-body";

    public override IReadOnlyList<byte[]> Seeds { get; } = Latin1(
        "5\r\nhello\r\n0\r\n\r\n",
        "5;name=value\r\nhello\r\n1;a=\"b c\";d\r\n \r\n00005\r\nworld\r\n000\r\nX-Trailer: 1\r\nx-other:  two \r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "a\r\n0123456789\r\nA\r\n0\r\n\r\nGET /\r\n0\r\n\r\n",
        "0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");

    public override IReadOnlyList<byte[]> Tokens { get; } = Latin1(
        "\r\n", "\n", "\r", "0\r\n\r\n", "0\r\n", "\r\n\r\n", "5\r\nhello\r\n", ";", ";a", ";a=\"\n\"", " ", "0x5", "+5", "-1", "5 ", "X: y\r\n", "X : y\r\n", " folded\r\n", "fffffffffffffff", "ffffffffffffffff", new string('0', 15), new string('0', 16));

    public override void Check(byte[] input, Random random)
    {
        var expected = PlainChunks.Read(Encoding.Latin1.GetString(input), EdgeLimits.Default.MaxTrailerBytes, trailerLineBytes: 0, out var end);
        var rest = end < 0 ? "" : Encoding.Latin1.GetString(input.AsSpan(end));
        AreEqual($"{expected}{PlainChunks.Separator}{rest}", Read([input], 4_096), "whole, a plain reading says otherwise");
        AreEqual($"{expected}{PlainChunks.Separator}{rest}", Read(Pieces.Cut(input, random), random.Next(1, 40)), "in pieces, a plain reading says otherwise");
    }

    private static string Read(IReadOnlyList<byte[]> pieces, int bufferBytes)
    {
        var pipe = new Pipe(Inline);
        var body = new Http1RequestBody(new Http1ResponseWriter());
        using var deadline = new ReadDeadline(pipe.Reader, Deadlines);
        body.Begin(pipe.Reader, contentLength: -1, expectsContinue: false, EdgeLimits.Default, deadline, TimeProvider.System);
        var content = new StringBuilder();
        var buffer = new byte[bufferBytes];
        var next = 0;
        string how;
        try
        {
            while (Complete(body.ReadAsync(buffer, default)) is > 0 and var count)
            {
                content.Append(Encoding.Latin1.GetString(buffer, 0, count));
            }

            how = "complete";
        }
        catch (MessageBodyException broken)
        {
            how = broken.Failure.Kind == FailureKind.ClientBodyMalformed ? "malformed" : broken.Failure.Kind == FailureKind.ClientAborted ? "truncated" : broken.Failure.Code;
        }

        var trailers = new StringBuilder();
        for (var i = 0; i < (how == "complete" ? body.Trailers?.Count ?? 0 : 0); i++)
        {
            trailers.Append(Encoding.Latin1.GetString(body.Trailers![i].Name)).Append('=').Append(Encoding.Latin1.GetString(body.Trailers[i].Value)).Append('\n');
        }

        return $"{how}{PlainChunks.Separator}{content}{PlainChunks.Separator}{trailers}{PlainChunks.Separator}{(how == "complete" ? Rest() : "")}";

        // Sends another piece for as long as the reader wants more.
        int Complete(ValueTask<int> reading)
        {
            while (!reading.IsCompleted)
            {
                Send();
            }

            return reading.GetAwaiter().GetResult();
        }

        void Send()
        {
            if (next == pieces.Count)
            {
                pipe.Writer.Complete();
                return;
            }

            pipe.Writer.Write(pieces[next++]);
            Holds(pipe.Writer.FlushAsync().AsTask().IsCompleted, "the pipe is full");
        }

        string Rest()
        {
            while (next < pieces.Count)
            {
                Send();
            }

            return pipe.Reader.TryRead(out var rest) ? Encoding.Latin1.GetString(rest.Buffer) : "";
        }
    }
}
