namespace Tidegate.Recording.Metrics;

/// <summary>
/// The series of the records that were counted last. Records of one route share their strings, so that a few references tell what would else take the hash of a dozen values. A miss costs
/// a look-up, never a wrong count. Not thread-safe.
/// </summary>
internal sealed class SeriesMemory
{
    // Routes and results that are busy at one moment; each place is a cache line or two.
    private const int Places = 16;

    private readonly Place[] _places = new Place[Places];

    /// <summary>The series that a record with the same labels was counted in; null when none is remembered.</summary>
    public CountSeries? Find(in ExchangeRecord record)
    {
        ref readonly var place = ref _places[PlaceOf(in record)];
        return place.Series is not null
            && ReferenceEquals(place.Api, record.Api)
            && ReferenceEquals(place.Endpoint, record.Endpoint)
            && ReferenceEquals(place.Consumer, record.Consumer)
            && ReferenceEquals(place.Method, record.Method)
            && ReferenceEquals(place.Host, record.Host)
            && ReferenceEquals(place.Scheme, record.Scheme)
            && ReferenceEquals(place.Code, record.Code)
            && place.Rest == RestOf(in record)
            ? place.Series : null;
    }

    public void Keep(in ExchangeRecord record, CountSeries series) => _places[PlaceOf(in record)] = new Place
    {
        Series = series,
        Api = record.Api,
        Endpoint = record.Endpoint,
        Consumer = record.Consumer,
        Method = record.Method,
        Host = record.Host,
        Scheme = record.Scheme,
        Code = record.Code,
        Rest = RestOf(in record),
    };

    private static (int Port, int Status, int Kind) RestOf(in ExchangeRecord record) => (record.Port, record.Status, ((int)record.Direction << 8) | (int)record.Outcome);

    // Cheap, and different for most: lengths of names and the status.
    private static int PlaceOf(in ExchangeRecord record) => (record.Status + record.Api.Length + (3 * record.Endpoint.Length) + (5 * record.Consumer.Name.Length) + (7 * record.Method.Length)) & (Places - 1);

    private struct Place
    {
        public CountSeries? Series;
        public string Api;
        public string Endpoint;
        public object Consumer;
        public string Method;
        public string Host;
        public string Scheme;
        public string Code;
        public (int Port, int Status, int Kind) Rest;
    }
}
