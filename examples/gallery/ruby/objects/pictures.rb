require "aws-sdk-s3"
require "securerandom"
require_relative "database"

class Picture < ActiveRecord::Base
end

# Pictures as objects of a bucket, their names in the database. Those added on the branch before stay where they are.
module Pictures
  BUCKET = ENV["AWS_S3_BUCKET"] or raise "There is no bucket: the config var AWS_S3_BUCKET is not set."
  STORE = Aws::S3::Client.new(endpoint: ENV.fetch("AWS_ENDPOINT_URL_S3"), force_path_style: true)

  # Their names, the newest first.
  def self.all
    with_connection { Picture.order(id: :desc).pluck(:name) }
  end

  # Gives the name under which it is found.
  def self.add(content, type)
    name = "#{SecureRandom.hex(8)}#{Gallery::TYPES.fetch(type)}"
    STORE.put_object(bucket: BUCKET, key: name, body: content, content_type: type)
    with_connection { Picture.create!(name: name, content_type: type) }
    name
  end

  # Content and type, or nil.
  def self.find(name)
    content, type = with_connection { Picture.where(name: name).pick(:content, :content_type) }
    [content || STORE.get_object(bucket: BUCKET, key: name).body.read, type] if type
  end

  # Threads come and go; connections are few and are given back.
  def self.with_connection(&work)
    ActiveRecord::Base.connection_pool.with_connection(&work)
  end
end
