using Tidegate.Exchanges;

namespace Tidegate.Policies.Hedge;

/// <summary>The content of the one of several requests whose answer is the client's. Not used again, so that who holds it for too long holds nobody else's.</summary>
/// <param name="attempt">Which.</param>
/// <param name="content">Its own.</param>
/// <param name="clients">Cancelled when the client leaves.</param>
/// <param name="broken">Cancelled when the request is broken off, for the client's leaving too: its exchange then knows whose doing it was.</param>
internal sealed class HedgeContent(HedgeAttempt attempt, MessageBody content, CancellationToken clients, CancellationToken broken) : MessageBody
{
    private bool _isDisposed;

    public override long? Length => content.Length;

    public override bool HasBytes => content.HasBytes;

    public override HeaderList? Trailers => content.Trailers;

    /// <summary>What breaks is for the reader to judge: who throws content away does not mind.</summary>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
        content.ReadAsync(buffer, cancellationToken == clients ? broken : cancellationToken);

    public override async ValueTask DisposeAsync()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        await content.DisposeAsync();
        attempt.ContentDisposed();
    }
}
