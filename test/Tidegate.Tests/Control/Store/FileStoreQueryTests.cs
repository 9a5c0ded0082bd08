using Tidegate.Control.Store;

namespace Tidegate.Tests.Control.Store;

public sealed class FileStoreQueryTests : StoreQueryTests, IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-store-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private protected override IExchangeStore Open() => ExchangeStore.Open(
        new StoreSettings { Directory = _directory, MaxBytes = 1 << 30, MaxAge = TimeSpan.FromDays(30) }, line => throw new InvalidOperationException(line), Time);

    private protected override void Bring(IExchangeStore store) => ((ExchangeStore)store).BringToDisk(isLast: false);
}
