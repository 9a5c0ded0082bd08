using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>A client's side that only notes the interim answers.</summary>
internal sealed class RecordingClient : ClientResponseWriter
{
    public List<string> Interims { get; } = [];

    public override bool HasStarted => false;

    public override long BodyBytesWritten => 0;

    public override ValueTask WriteInformationalAsync(int status, HeaderList headers, CancellationToken cancellationToken)
    {
        var text = new StringBuilder().Append(status);
        for (var i = 0; i < headers.Count; i++)
        {
            text.Append(' ').Append(Encoding.Latin1.GetString(headers[i].Name)).Append('=').Append(Encoding.Latin1.GetString(headers[i].Value));
        }

        Interims.Add(text.ToString());
        return default;
    }

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
