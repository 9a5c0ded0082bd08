using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>The content of a flight's answer that is for one exchange alone: read at its client's pace, with nothing in between.</summary>
internal sealed class TakenBody(FlightSeat seat) : MessageBody
{
    private readonly MessageBody _inner = seat.Flight.Exchange.ResponseBody;

    public override long? Length => _inner.Length;

    public override bool HasBytes => _inner.HasBytes;

    public override HeaderList? Trailers => _inner.Trailers;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await _inner.ReadAsync(buffer, cancellationToken);
        seat.Flight.Exchange.ResponseBodyBytes += read;
        return read;
    }

    public override async ValueTask DisposeAsync()
    {
        await seat.Flight.EndAsync();
        seat.Leave();
    }
}
