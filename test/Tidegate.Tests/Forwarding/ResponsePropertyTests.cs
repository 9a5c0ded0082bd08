using System.Net;
using System.Text;
using CsCheck;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Forwarding.Connecting;
using Xunit;

namespace Tidegate.Tests.Forwarding;

/// <summary>Answers read from pieces of any size, through buffers of any size, mean what they mean in one piece; broken ones end the exchange and never hang it.</summary>
public sealed class ResponsePropertyTests
{
    private static readonly string[] Answers =
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello world",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;ext=\"x\"\r\n \r\n0005\r\nworld\r\n0\r\nX-Trailer: 1\r\nX-Other: two\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nConnection: x-hop\r\nX-Hop: 1\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end of the connection",
        "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\nX: y\r\n\r\nhello",
    ];

    [Fact]
    public async Task However_an_answer_is_cut_it_means_the_same()
    {
        var whole = new Dictionary<string, string>();
        foreach (var answer in Answers)
        {
            whole[answer] = await ReceiveAsync([Encoding.Latin1.GetBytes(answer)], 4_096);
        }

        // As different as the rules make them, so that agreement means something.
        Assert.Equal(Answers.Length, whole.Values.Distinct().Count());
        await Gen.Select(Gen.Int[0, Answers.Length - 1], Gen.Int[1, 40].Array[1, 30], Gen.Int[1, 50]).SampleAsync(async (which, cuts, bufferBytes) =>
        {
            Assert.Equal(whole[Answers[which]], await ReceiveAsync(Cut(Encoding.Latin1.GetBytes(Answers[which]), cuts), bufferBytes));
        }, iter: 3_000);
    }

    [Fact]
    public async Task Whatever_is_broken_ends_the_exchange()
    {
        await Gen.Select(Gen.Int[0, Answers.Length - 1], Gen.Int[1, 40].Array[1, 30], Gen.Select(Gen.Int[0, 400], Gen.Byte, Gen.Int[0, 3]).Array[1, 6]).SampleAsync(async (which, cuts, mutations) =>
        {
            var bytes = Encoding.Latin1.GetBytes(Answers[which]).ToList();
            foreach (var (at, value, kind) in mutations)
            {
                Mutate(bytes, at % (bytes.Count + 1), value, kind);
            }

            var result = await ReceiveAsync(Cut([.. bytes], cuts), 100);
            Assert.Matches("^([0-9]{3} |[a-z_]+$)", result);
        }, iter: 5_000);
    }

    private static void Mutate(List<byte> bytes, int at, byte value, int kind)
    {
        switch (kind)
        {
            case 0:
                bytes.Insert(at, value);
                break;
            case 1 when at < bytes.Count:
                bytes.RemoveAt(at);
                break;
            case 2 when at < bytes.Count:
                bytes[at] = value;
                break;
            default:
                bytes.InsertRange(at, [.. bytes.Skip(at).Take(value % 32)]);
                break;
        }
    }

    private static List<byte[]> Cut(byte[] bytes, int[] sizes)
    {
        var pieces = new List<byte[]>();
        for (int at = 0, i = 0; at < bytes.Length; i++)
        {
            var size = Math.Min(sizes[i % sizes.Length], bytes.Length - at);
            pieces.Add(bytes[at..(at + size)]);
            at += size;
        }

        return pieces;
    }

    /// <summary>Everything that a client would see of the answer, in one line; or the failure's code.</summary>
    private static async Task<string> ReceiveAsync(IReadOnlyList<byte[]> pieces, int bufferBytes)
    {
        await using var forwarder = new Forwarder(TimeProvider.System, new ForwarderOptions { Source = new ConnectionSource(new MemoryConnections(pieces)) });
        var exchange = new Exchange
        {
            Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
            Client = new SilentClient(),
            Method = "GET",
            Target = new ExchangeTarget("http", "127.0.0.1", 80, "/", null),
        };
        await forwarder.ForwardAsync(exchange, new Upstream { Name = "", Destinations = [], Timeouts = UpstreamTimeouts.Default }).AsTask().WaitAsync(TimeSpan.FromSeconds(60));
        if (exchange.Failure is { } failure)
        {
            return failure.Code;
        }

        var text = new StringBuilder().Append(exchange.ResponseStatus).Append(' ');
        Append(text, exchange.ResponseHeaders);
        var buffer = new byte[bufferBytes];
        try
        {
            while (await exchange.ResponseBody.ReadAsync(buffer, default).AsTask().WaitAsync(TimeSpan.FromSeconds(60)) is > 0 and var read)
            {
                text.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }
        }
        catch (MessageBodyException broken)
        {
            text.Append(" broken: ").Append(broken.Failure.Code);
        }

        Append(text, exchange.ResponseBody.Trailers);
        await exchange.ResponseBody.DisposeAsync();
        Assert.Equal(0, Assert.Single(forwarder.PoolStatistics).Waiting);
        return text.ToString();
    }

    private static void Append(StringBuilder text, HeaderList? fields)
    {
        text.Append('[');
        for (var i = 0; i < fields?.Count; i++)
        {
            text.Append(Encoding.Latin1.GetString(fields[i].Name)).Append('=').Append(Encoding.Latin1.GetString(fields[i].Value)).Append(',');
        }

        text.Append(']');
    }

    private sealed class SilentClient : ClientResponseWriter
    {
        public override bool HasStarted => false;

        public override long BodyBytesWritten => 0;

        public override ValueTask WriteInformationalAsync(int status, HeaderList headers, CancellationToken cancellationToken) => default;

        public override void Start(int status, HeaderList headers, long? contentLength) => throw new NotSupportedException();

        public override Memory<byte> GetMemory(int sizeHint = 0) => throw new NotSupportedException();

        public override void Advance(int count) => throw new NotSupportedException();

        public override ValueTask FlushAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public override ValueTask CompleteAsync(HeaderList? trailers, CancellationToken cancellationToken) => throw new NotSupportedException();

        public override ValueTask<Stream> SwitchProtocolsAsync(int status, HeaderList headers, CancellationToken cancellationToken) => throw new NotSupportedException();

        public override void Abort()
        {
        }

        public override void CloseAfterReply()
        {
        }
    }
}
