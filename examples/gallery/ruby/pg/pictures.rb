require "securerandom"
require_relative "database"

class Picture < ActiveRecord::Base
end

# Pictures as rows of the database, which outlives every dyno.
module Pictures
  # Their names, the newest first.
  def self.all
    with_connection { Picture.order(id: :desc).pluck(:name) }
  end

  # Gives the name under which it is found.
  def self.add(content, type)
    name = "#{SecureRandom.hex(8)}#{Gallery::TYPES.fetch(type)}"
    with_connection { Picture.create!(name: name, content_type: type, content: content) }
    name
  end

  # Content and type, or nil.
  def self.find(name)
    with_connection { Picture.where(name: name).pick(:content, :content_type) }
  end

  # Threads come and go; connections are few and are given back.
  def self.with_connection(&work)
    ActiveRecord::Base.connection_pool.with_connection(&work)
  end
end
